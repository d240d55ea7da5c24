//! Reading JSON text into values of their own: what `fromjson` is given, and pages that hold what their quick reader leaves.

use super::{Entries, Num, Val};

/// Deepest nesting of a text.
const MAX_NESTING: u32 = 127;

/// Reads one JSON text. A byte order mark is skipped. Numbers keep how they are spelled as far as jq would, and may be spelled as jq
/// takes them: `007`, `.5`, `5.`, `+1`.
///
/// The error is a line for a person, and holds nothing of the text.
pub(crate) fn read(text: &str) -> Result<Val, String> {
    read_as(text.strip_prefix('\u{feff}').unwrap_or(text), false)
}

/// Reads one JSON text as data, as strictly as RFC 8259 has its grammar. What the grammar allows and no value can hold becomes what
/// jq makes of it: half of a surrogate pair the replacement character, a number beyond the doubles the largest one.
pub(crate) fn read_data(text: &str) -> Option<Val> {
    read_as(text, true).ok()
}

fn read_as(text: &str, data: bool) -> Result<Val, String> {
    let mut reader = Reader { text, at: 0, data };
    let value = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.error("more than one value"));
    }
    Ok(value)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Whether numbers are data, and strict.
    data: bool,
}

impl Reader<'_> {
    fn error(&self, what: &str) -> String {
        format!("{what} at byte {}", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: u32) -> Result<Val, String> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Val::from),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'+' | b'.') if !self.data => self.number(),
            _ => {
                for (word, value) in [
                    ("null", Val::null()),
                    ("true", Val::from(true)),
                    ("false", Val::from(false)),
                ] {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.error(if self.at < self.text.len() {
                    "no JSON value"
                } else {
                    "unexpected end"
                }))
            }
        }
    }

    fn deeper(&mut self, depth: u32) -> Result<u32, String> {
        if depth >= MAX_NESTING {
            return Err(self.error("nested too deeply"));
        }
        self.at += 1;
        Ok(depth + 1)
    }

    fn array(&mut self, depth: u32) -> Result<Val, String> {
        let depth = self.deeper(depth)?;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Val::array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.eat(b']') {
                return Ok(Val::array(items));
            }
            if !self.eat(b',') {
                return Err(self.error("expected `,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<Val, String> {
        let depth = self.deeper(depth)?;
        let mut entries = Entries::new();
        if self.eat(b'}') {
            return Ok(Val::object(entries));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key"));
            }
            let key = self.string()?;
            if !self.eat(b':') {
                return Err(self.error("expected `:`"));
            }
            entries.insert(key.into(), self.value(depth)?);
            if self.eat(b'}') {
                return Ok(Val::object(entries));
            }
            if !self.eat(b',') {
                return Err(self.error("expected `,` or `}`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find(|c: char| matches!(c, '"' | '\\' | '\0'..='\x1f')) else {
                self.at = self.text.len();
                return Err(self.error("a string without an end"));
            };
            out.push_str(&rest[..end]);
            self.at += end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err(self.error("a control character in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        self.at += 1;
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.error("an unknown escape")),
        };
        self.at += 1;
        Ok(c)
    }

    /// `\u0041`; half of a surrogate pair becomes the replacement character, as in jq.
    fn unicode(&mut self) -> Result<char, String> {
        let first = self.unit()?;
        if let Some(c) = char::from_u32(first.into()) {
            return Ok(c);
        }
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 1;
            let second = self.unit()?;
            if let Some(Ok(c)) = char::decode_utf16([first, second]).next() {
                return Ok(c);
            }
            self.at = before;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// Four hexadecimal digits after the `u` that is next.
    fn unit(&mut self) -> Result<u16, String> {
        let digits = self
            .text
            .get(self.at + 1..self.at + 5)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error("an incomplete escape"))?;
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Val, String> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            let before = reader.at;
            while matches!(reader.peek(), Some(b'0'..=b'9')) {
                reader.at += 1;
            }
            reader.at - before
        };
        self.at += usize::from(matches!(self.peek(), Some(b'-' | b'+')));
        let leading_zero = self.peek() == Some(b'0');
        let whole = digits(self);
        let mut valid = whole == 1 || (whole > 1 && !leading_zero);
        if self.peek() == Some(b'.') {
            self.at += 1;
            valid &= digits(self) > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            valid &= digits(self) > 0;
        }
        let text = &self.text[start..self.at];
        let number = match self.data {
            // Strict, so that Rust's reader takes it, and large ones as infinite.
            true if valid => data_number(text),
            true => None,
            false => Num::literal(text.strip_prefix('+').unwrap_or(text)),
        };
        number
            .map(Val::num)
            .ok_or_else(|| self.error("no JSON number"))
    }
}

fn data_number(text: &str) -> Option<Num> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Num::from(integer));
    }
    if let Ok(integer) = text.parse::<u64>() {
        return Some(Num::from(integer));
    }
    let number: f64 = text.parse().ok()?;
    Some(Num::data(number.clamp(f64::MIN, f64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::{Val, read, read_data};

    #[test]
    fn numbers_in_text_may_be_spelled_as_jq_takes_them_and_those_of_data_not() {
        for (text, number) in [
            ("007", "7"),
            ("-007.5", "-7.5"),
            ("1.", "1"),
            (".5", "0.5"),
            ("+1", "1"),
            ("[01,+2]", "[1,2]"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), number);
            assert!(read_data(text).is_none(), "{text}");
        }
        for text in ["+", "-", ".", "1e", "+-1", "-+1", "0x10", "1.e"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn data_that_no_value_holds_becomes_what_jq_makes_of_it() {
        for (text, value) in [
            (r#""\ud800""#, "\"\u{fffd}\""),
            (
                r#"["\udc00x", "\ud800\ud83d\ude00"]"#,
                "[\"\u{fffd}x\",\"\u{fffd}\u{1f600}\"]",
            ),
            (r#"[1e308,5]"#, "[1"),
            (
                r#"{"a":1,"b":2,"a":18446744073709551615}"#,
                r#"{"a":18446744073709551615,"b":2}"#,
            ),
        ] {
            let read = read_data(text).unwrap().to_string();
            assert!(read.starts_with(value), "{read}");
        }
        let large = read_data("[1e999,-1e999]").unwrap();
        assert_eq!(
            large,
            Val::from(vec![Val::from(f64::MAX), Val::from(f64::MIN)])
        );
        for text in [
            "nan",
            "\u{feff}1",
            "[1,]",
            "// c\n1",
            "\"\t\"",
            "1 2",
            "\"\\x\"",
        ] {
            assert!(read_data(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_json_is_read() {
        for text in [
            "",
            " ",
            "nan",
            "NaN",
            "Infinity",
            "1e",
            "-",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "'a'",
            "[1 2]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        for text in [
            "1 2",
            "[1]]",
            "\"a\tb\"",
            "\"\\x\"",
            "\"\\u12\"",
            "tru",
            "nulll",
            "// c\n1",
            "\"abc",
            "[",
            "{",
            "{\"a\"",
            "{\"a\":",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let text =
            r#" {"a": [1, -2.5, 1e3, "é\n\u00e9\ud83d\ude00\ud83d", true, false, null, {}, []]} "#;
        assert_eq!(
            read(text).unwrap().to_string(),
            r#"{"a":[1,-2.5,1E+3,"é\né😀�",true,false,null,{},[]]}"#
        );
        assert_eq!(read("\u{feff}1").unwrap().to_string(), "1");
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        assert!(read(&format!("{}{}", "[".repeat(127), "]".repeat(127))).is_ok());
        assert!(
            read(&format!("{}{}", "[".repeat(128), "]".repeat(128)))
                .unwrap_err()
                .contains("deep")
        );
        assert!(read(&"[".repeat(200_000)).is_err());
        assert!(read(&"{\"a\":".repeat(200_000)).is_err());
    }
}
