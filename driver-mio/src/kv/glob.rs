//! Glob patterns as Redis matches them: `*`, `?`, `[a-c]`, `[^a]`, `\x`.
//!
//! Every token but `*` takes exactly one byte, so it is enough to come back to
//! the last `*`: the work is at most pattern times text, never exponential.

/// A pattern, matched against keys.
#[derive(Clone, Copy, Debug)]
pub struct Glob<'a> {
    pattern: &'a [u8],
}

impl<'a> Glob<'a> {
    /// Takes any bytes for a pattern; none is wrong.
    pub fn new(pattern: &'a [u8]) -> Self {
        Self { pattern }
    }

    /// Tells whether the whole text matches, and adds the bytes looked at to `steps`.
    pub fn matches(&self, text: &[u8], steps: &mut u64) -> bool {
        let (mut at, mut read) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            *steps += 1;
            if self.pattern.get(at) == Some(&b'*') {
                at += 1;
                star = Some((at, read));
                continue;
            }
            match text.get(read) {
                None if at == self.pattern.len() => return true,
                // What is left are tokens that need a byte each.
                None => return false,
                Some(byte) => {
                    if let Some(next) = self.token(at, *byte, steps) {
                        (at, read) = (next, read + 1);
                        continue;
                    }
                }
            }
            // The last star takes one more byte, and the rest is tried again.
            match &mut star {
                None => return false,
                Some((after, taken)) => {
                    *taken += 1;
                    (at, read) = (*after, *taken);
                }
            }
        }
    }

    /// Matches one byte with the token at `at`; answers where the next begins.
    fn token(&self, at: usize, byte: u8, steps: &mut u64) -> Option<usize> {
        match self.pattern.get(at)? {
            b'?' => Some(at + 1),
            b'[' => {
                let (is_match, next) = self.class(at + 1, byte);
                *steps += (next - at) as u64;
                is_match.then_some(next)
            }
            b'\\' if at + 1 < self.pattern.len() => {
                (self.pattern[at + 1] == byte).then_some(at + 2)
            }
            literal => (*literal == byte).then_some(at + 1),
        }
    }

    /// Reads a class behind its bracket. Without a closing one, the pattern's end closes it.
    fn class(&self, start: usize, byte: u8) -> (bool, usize) {
        let pattern = self.pattern;
        let is_negated = pattern.get(start) == Some(&b'^');
        let mut at = start + usize::from(is_negated);
        let mut is_member = false;
        loop {
            match (pattern.get(at), pattern.get(at + 1), pattern.get(at + 2)) {
                (None, ..) => return (is_member != is_negated, at),
                (Some(b'\\'), Some(literal), _) => {
                    is_member |= *literal == byte;
                    at += 2;
                }
                (Some(b']'), ..) => return (is_member != is_negated, at + 1),
                (Some(low), Some(b'-'), Some(high)) => {
                    is_member |= (*low.min(high)..=*low.max(high)).contains(&byte);
                    at += 3;
                }
                (Some(literal), ..) => {
                    is_member |= *literal == byte;
                    at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_redis_documents() {
        for (pattern, text, is_match) in [
            ("h?llo", "hallo", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h*llo", "hllo", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hbllo", true),
            ("h[a-b]llo", "hcllo", false),
            (r"h\?llo", "h?llo", true),
            (r"h\?llo", "hallo", false),
            (r"h[\]]llo", "h]llo", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("[ab", "b", true),
            ("a\\", "a\\", true),
        ] {
            let found = Glob::new(pattern.as_bytes()).matches(text.as_bytes(), &mut 0);
            assert_eq!(found, is_match, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = "a*".repeat(500) + "b";
        let text = "a".repeat(10_000);
        let mut steps = 0;
        assert!(!Glob::new(pattern.as_bytes()).matches(text.as_bytes(), &mut steps));
        assert!(steps <= 2 * (pattern.len() * text.len()) as u64, "{steps}");
    }

    proptest! {
        #[test]
        fn matcher_agrees_with_the_naive_one(
            pattern in "[ab*?\\[\\]^\\\\-]{0,8}",
            text in "[ab\\]\\[^-]{0,8}",
        ) {
            let found = Glob::new(pattern.as_bytes()).matches(text.as_bytes(), &mut 0);
            prop_assert_eq!(found, naive(pattern.as_bytes(), text.as_bytes()));
        }
    }

    /// The definition, token by token, with all the backtracking it likes.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], rest) => rest.is_empty(),
            ([b'*', pattern @ ..], _) => {
                (0..=text.len()).any(|taken| naive(pattern, &text[taken..]))
            }
            (_, []) => false,
            ([b'?', pattern @ ..], [_, text @ ..]) => naive(pattern, text),
            ([b'[', ..], [byte, text @ ..]) => {
                let (is_match, next) = Glob::new(pattern).class(1, *byte);
                is_match && naive(&pattern[next..], text)
            }
            ([b'\\', literal, pattern @ ..], [byte, text @ ..])
            | ([literal, pattern @ ..], [byte, text @ ..]) => {
                literal == byte && naive(pattern, text)
            }
        }
    }
}
