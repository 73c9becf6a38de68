//! Words of commands that people copy into a shell.

/// A word as a POSIX shell takes it, whatever is in it: groups and principals may be named with spaces, quotes, stars or a `$(…)`.
#[must_use]
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_word_is_taken_for_anything_but_itself() {
        assert_eq!(quoted("orders"), "'orders'");
        assert_eq!(quoted(""), "''", "an empty word is one, too");
        assert_eq!(quoted("a b; $(rm) `c` \"d\" *"), "'a b; $(rm) `c` \"d\" *'");
        assert_eq!(quoted("billing's"), r"'billing'\''s'");
    }
}
