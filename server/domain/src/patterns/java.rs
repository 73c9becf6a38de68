//! What `java.util.regex` reads in another way than the regex crate does. Only names of topics and groups are matched,
//! and only in full, so differences in line ends, anchors and greed do not matter.

/// What is read differently in a pattern, as a sentence fragment.
pub(super) fn read_differently(pattern: &str) -> Option<&'static str> {
    let mut state = State::default();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        if c == '\\' {
            if let Some(difference) = next.and_then(escape) {
                return Some(difference);
            }
            chars.next();
            state.repeated = false;
            continue;
        }
        if let Some(difference) = state.step(c, next) {
            return Some(difference);
        }
    }
    None
}

#[derive(Default)]
struct State {
    /// How many character classes are open.
    classes: usize,
    /// Whether the last thing read was a repetition.
    repeated: bool,
}

impl State {
    fn step(&mut self, c: char, next: Option<char>) -> Option<&'static str> {
        if self.classes > 0 {
            match (c, next) {
                ('[', _) => self.classes += 1,
                (']', _) => self.classes -= 1,
                ('-', Some('-')) | ('~', Some('~')) => {
                    return Some("`--` and `~~` in a character class mean something else in Java");
                }
                _ => {}
            }
            return None;
        }
        match c {
            '[' => self.classes = 1,
            '+' if self.repeated => {
                return Some("possessive repetition (`*+`, `++`, `?+`, `}+`) is not supported");
            }
            '*' if self.repeated => return Some("a repetition cannot be repeated"),
            _ => {}
        }
        // After `?` a second `?` makes it reluctant, which matching in full does not care about.
        self.repeated = matches!(c, '*' | '+' | '?' | '}') && !(c == '?' && self.repeated);
        None
    }
}

fn escape(c: char) -> Option<&'static str> {
    match c {
        '1'..='9' | 'k' => Some("back references are not supported"),
        'Q' | 'E' => Some("quoting with \\Q and \\E is not supported; escape the characters one by one"),
        '<' | '>' => Some("\\< and \\> mean something else in Java"),
        'G' | 'Z' | 'R' | 'X' | 'N' | 'h' | 'H' | 'V' | 'c' | 'e' => Some("this escape is not supported"),
        _ => None,
    }
}
