//! What names patterns can match, seen coarsely: letters that are certain, and stretches of which nothing is said.
//!
//! A shape never leaves a name out that its pattern matches; it may hold more. So shapes that do not meet are patterns
//! without a common name, and shapes that meet are patterns that may have one.

use std::{iter::Peekable, str::Chars};

/// Most shapes one pattern is taken apart into; a pattern with more is one that may match anything.
const MOST: usize = 64;
/// Most pieces of a shape.
const LONGEST: usize = 512;

/// One piece of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// This character.
    Is(char),
    /// Any characters at all, exactly: `.*`.
    Any,
    /// Some characters, which is all that is said of them.
    Some,
}

/// Names that one alternative of a pattern may match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape(Vec<Piece>);

impl Shape {
    /// The shape of everything.
    pub(crate) fn anything() -> Self {
        Self(vec![Piece::Some])
    }

    /// The shape of one name.
    pub(crate) fn of_name(name: &str) -> Self {
        Self(name.chars().map(Piece::Is).collect())
    }

    /// The one name there is of this shape.
    pub(crate) fn name(&self) -> Option<String> {
        let letter = |piece: &Piece| match piece {
            Piece::Is(c) => Some(*c),
            Piece::Any | Piece::Some => None,
        };
        self.0.iter().map(letter).collect()
    }

    /// The same names, each behind a prefix.
    pub(crate) fn behind(&self, prefix: &str) -> Self {
        Self(prefix.chars().map(Piece::Is).chain(self.0.iter().copied()).collect())
    }

    /// Whether a name could be of both shapes.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        fn meet(a: &[Piece], b: &[Piece], tried: &mut Vec<bool>, width: usize) -> bool {
            let at = a.len() * width + b.len();
            if std::mem::replace(&mut tried[at], true) {
                return false;
            }
            match (a.split_first(), b.split_first()) {
                (None, None) => true,
                (Some((Piece::Is(c), a)), Some((Piece::Is(d), b))) => c == d && meet(a, b, tried, width),
                (Some((Piece::Any | Piece::Some, rest)), _) => {
                    meet(rest, b, tried, width) || !b.is_empty() && meet(a, &b[1..], tried, width)
                }
                (_, Some((Piece::Any | Piece::Some, rest))) => {
                    meet(a, rest, tried, width) || !a.is_empty() && meet(&a[1..], b, tried, width)
                }
                (None, Some((Piece::Is(_), _))) | (Some((Piece::Is(_), _)), None) => false,
            }
        }
        let width = other.0.len() + 1;
        meet(&self.0, &other.0, &mut vec![false; (self.0.len() + 1) * width], width)
    }

    /// Whether each name that may be of the other shape certainly is of this one.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        fn cover(by: &[Piece], what: &[Piece], tried: &mut Vec<bool>, width: usize) -> bool {
            let at = by.len() * width + what.len();
            if std::mem::replace(&mut tried[at], true) {
                return false;
            }
            match (by.split_first(), what.split_first()) {
                (None, None) => true,
                (Some((Piece::Any, rest)), _) => {
                    cover(rest, what, tried, width) || !what.is_empty() && cover(by, &what[1..], tried, width)
                }
                (Some((Piece::Is(c), by)), Some((Piece::Is(d), what))) => {
                    c == d && cover(by, what, tried, width)
                }
                // Of what is only roughly known nothing is certain.
                (Some((Piece::Some, _)), _) | (None, Some(_)) | (Some((Piece::Is(_), _)), _) => false,
            }
        }
        let width = other.0.len() + 1;
        cover(&self.0, &other.0, &mut vec![false; (self.0.len() + 1) * width], width)
    }
}

/// Whether a list says more than its patterns one by one: a flag such as `(?i)` reaches the patterns behind it.
pub(crate) fn has_flags<S: AsRef<str>>(patterns: &[S]) -> bool {
    let flag = |at: &str| !at.starts_with(':');
    patterns.iter().any(|pattern| pattern.as_ref().split("(?").skip(1).any(flag))
}

/// The shapes of a pattern that can be read, one for each alternative.
pub(crate) fn shapes(pattern: &str) -> Vec<Shape> {
    let mut chars = pattern.chars().peekable();
    let found = alternatives(&mut chars, false);
    // Nobody has names this long.
    found
        .filter(|found| found.iter().all(|shape| shape.0.len() <= LONGEST))
        .unwrap_or_else(|| vec![Shape::anything()])
}

/// Alternatives up to the end, or to the bracket that closes the group. None when they cannot be taken apart.
fn alternatives(chars: &mut Peekable<Chars<'_>>, in_group: bool) -> Option<Vec<Shape>> {
    let (empty, mut done) = (vec![Shape(Vec::new())], Vec::new());
    let mut open = empty.clone();
    loop {
        let atom = match chars.next() {
            None if in_group => return None,
            None => break,
            Some(')') if in_group => break,
            Some('|') => {
                done.append(&mut open);
                open.clone_from(&empty);
                continue;
            }
            // Matching is in full anyway.
            Some('^') if !in_group && open == empty => continue,
            Some('$') if !in_group && matches!(chars.peek(), None | Some('|')) => continue,
            Some('.') if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'?');
                vec![Shape(vec![Piece::Any])]
            }
            Some(first) => {
                let atom = atom(first, chars)?;
                if repeats(chars)? { vec![Shape::anything()] } else { atom }
            }
        };
        open = appended(&open, &atom)?;
    }
    done.append(&mut open);
    (done.len() <= MOST).then_some(done)
}

/// One character, class or group.
fn atom(first: char, chars: &mut Peekable<Chars<'_>>) -> Option<Vec<Shape>> {
    match first {
        '(' => {
            // Groups with a question mark are flags and names, unless they only do not capture.
            if chars.next_if_eq(&'?').is_some() {
                chars.next_if_eq(&':')?;
            }
            alternatives(chars, true)
        }
        '[' => {
            pass_class(chars)?;
            Some(vec![Shape::anything()])
        }
        '\\' => match chars.next()? {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'A' | 'z' => Some(vec![Shape::anything()]),
            // The others of these take up characters that stand behind them.
            letter if letter.is_alphanumeric() => None,
            sign => Some(vec![Shape(vec![Piece::Is(sign)])]),
        },
        // Anchors elsewhere than at the ends leave out more than their shape does.
        '.' | '^' | '$' => Some(vec![Shape::anything()]),
        ')' | ']' | '*' | '+' | '?' | '{' | '}' => None,
        letter => Some(vec![Shape(vec![Piece::Is(letter)])]),
    }
}

/// Passes what is left of a class, with the classes in it.
fn pass_class(chars: &mut Peekable<Chars<'_>>) -> Option<()> {
    chars.next_if_eq(&'^');
    // A bracket in the first place may be a character of the class.
    if chars.peek() == Some(&']') {
        return None;
    }
    let mut open = 1;
    while open > 0 {
        match chars.next()? {
            '\\' => drop(chars.next()?),
            '[' => open += 1,
            ']' => open -= 1,
            _ => {}
        }
    }
    Some(())
}

/// Whether the atom before is repeated; passes the signs that say so.
fn repeats(chars: &mut Peekable<Chars<'_>>) -> Option<bool> {
    let Some(sign) = chars.next_if(|c| matches!(c, '*' | '+' | '?' | '{')) else { return Some(false) };
    if sign == '{' {
        while chars.next()? != '}' {}
    }
    chars.next_if_eq(&'?');
    Some(true)
}

/// Each of the first with each of the second behind it; None when there are too many.
fn appended(first: &[Shape], second: &[Shape]) -> Option<Vec<Shape>> {
    let both = |(a, b): (&Shape, &Shape)| Shape(a.0.iter().chain(&b.0).copied().collect());
    let pairs = first.iter().flat_map(|a| second.iter().map(move |b| (a, b)));
    (first.len() * second.len() <= MOST).then(|| pairs.map(both).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::patterns::{check, matches};

    fn meet(a: &str, b: &str) -> bool {
        shapes(a).iter().any(|a| shapes(b).iter().any(|b| a.meets(b)))
    }

    fn covers(by: &str, what: &str) -> bool {
        shapes(what).iter().all(|what| shapes(by).iter().any(|by| by.covers(what)))
    }

    #[test]
    fn patterns_with_a_common_name_meet() {
        for (a, b) in [
            (r"orders\..*", r"orders\.eu"),
            (r"orders\..*", r"orders\.(eu|us)\..*"),
            (".*", "payments"),
            (".*-eu", "orders.*"),
            ("(?:orders|carts)-[0-9]+", "carts-.*"),
            ("^orders.*$", "orders"),
            ("a*", "aaa"),
            (r"orders\.\d{3}", r"orders\.007"),
            ("x|y|orders", "z|orders"),
        ] {
            assert!(meet(a, b) && meet(b, a), "{a} and {b}");
        }
    }

    #[test]
    fn patterns_that_differ_in_what_is_certain_do_not_meet() {
        for (a, b) in [
            (r"orders\..*", r"payments\..*"),
            (r"orders\..*", r"ordersx.*"),
            (r"orders\.(eu|us)\..*", r"orders\.asia\..*"),
            (".*-eu", ".*-us"),
            ("(orders|carts)-.*", "(clicks|views)-.*"),
            ("orders", "orders.a|payments"),
            ("a.*b.*c", "a.*d"),
        ] {
            assert!(!meet(a, b) && !meet(b, a), "{a} and {b}");
        }
    }

    #[test]
    fn only_what_is_certain_covers() {
        assert!(covers(".*", "anything") && covers(".*", "[a-z]+"));
        assert!(covers(r"orders\..*", r"orders\.eu\..*") && covers(r"orders\..*", r"orders\.[a-c]"));
        assert!(covers("__.*|x.*", "__offsets"));
        assert!(!covers(r"orders\.eu\..*", r"orders\..*"));
        assert!(!covers("[a-z]+", "abc"), "a class is only roughly known");
        assert!(!covers("orders.+", "orders"));
        assert!(!covers("a^b", "ab"), "it matches nothing");
    }

    #[test]
    fn what_cannot_be_taken_apart_may_be_anything() {
        let everything =
            ["(?i)orders", r"\x41b", r"\pLb", "(?P<a>b)", "[]a]", "a{2", &"b".repeat(LONGEST + 1)];
        for pattern in everything {
            assert_eq!(shapes(pattern), [Shape::anything()], "{pattern}");
        }
        assert!(has_flags(&["orders", "(?i)x"]) && !has_flags(&["(?:orders)", "x"]));
        let many = "(a|b|c|d)".repeat(9);
        assert_eq!(shapes(&many), [Shape::anything()]);
    }

    #[test]
    fn the_one_name_of_a_pattern_is_told() {
        let names = |pattern: &str| shapes(pattern).iter().map(Shape::name).collect::<Vec<_>>();
        assert_eq!(names(r"orders\.eu|b[cd]"), [Some("orders.eu".to_owned()), None]);
        assert_eq!(names("a(b|c)"), [Some("ab".to_owned()), Some("ac".to_owned())]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Whatever a pattern is and whichever name it matches: the name is of one of its shapes.
        #[test]
        fn no_name_of_a_pattern_is_left_out(pattern in r"[ab.*+?|()\[\]^$\\d{1}]{0,12}", name in "[abd1.]{0,5}") {
            if check(&pattern).is_ok() && matches(&[&pattern], &name) {
                let of_name = Shape::of_name(&name);
                prop_assert!(shapes(&pattern).iter().any(|shape| shape.meets(&of_name)), "{pattern} and {name}");
            }
        }

        /// Whatever certainly is of a shape is matched by its pattern.
        #[test]
        fn what_is_covered_is_matched(pattern in r"[ab.*+?|()\[\]^$\\d{1}]{0,12}", name in "[abd1.]{0,5}") {
            let of_name = Shape::of_name(&name);
            if check(&pattern).is_ok() && shapes(&pattern).iter().any(|by| by.covers(&of_name)) {
                prop_assert!(matches(&[&pattern], &name), "{pattern} and {name}");
            }
        }
    }
}
