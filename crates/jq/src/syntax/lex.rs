//! Tokens of jq.

use crate::error::CompileError;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tok<'s> {
    /// Names and keywords, also with module (`a::b`).
    Word(&'s str),
    /// `.name`, without the dot.
    Field(&'s str),
    /// `$name`, with the dollar.
    Var(&'s str),
    /// `@name`, with the at sign.
    Format(&'s str),
    Number(&'s str),
    /// The opening quote. The parser reads the string itself.
    Quote,
    Symbol(&'static str),
    End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'s> {
    pub(crate) tok: Tok<'s>,
    /// Byte offset of its first character.
    pub(crate) at: usize,
}

/// Longest first.
const SYMBOLS: [&str; 34] = [
    "?//", "//=", "//", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "..", "?", "|",
    ",", "=", "<", ">", "+", "-", "*", "/", "%", ":", ";", ".", "(", ")", "[", "]", "{", "}",
];

#[derive(Clone)]
pub(crate) struct Lexer<'s> {
    text: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    pub(crate) fn new(text: &'s str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn rest(&self) -> &'s str {
        &self.text[self.at..]
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// An error at a byte offset, told in characters.
    pub(crate) fn error(&self, at: usize, what: impl std::fmt::Display) -> CompileError {
        let position = self.text[..at.min(self.text.len())].chars().count();
        CompileError::new(
            format!("{what} (at character {})", position + 1),
            Some(position),
        )
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    pub(crate) fn next(&mut self) -> Result<Token<'s>, CompileError> {
        self.space();
        let at = self.at;
        let rest = self.rest();
        let mut chars = rest.chars();
        let Some(first) = chars.next() else {
            return Ok(Token { tok: Tok::End, at });
        };
        let second = chars.next();
        let name = |skip: usize| {
            skip + rest[skip..]
                .find(|c: char| !is_name(c))
                .unwrap_or(rest.len() - skip)
        };
        let (tok, len) = match first {
            '"' => (Tok::Quote, 1),
            '.' if second.is_some_and(is_name_start) => {
                let end = name(1);
                (Tok::Field(&rest[1..end]), end)
            }
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => {
                let end = number(rest);
                (Tok::Number(&rest[..end]), end)
            }
            '$' | '@' if second.is_some_and(is_name_start) => {
                let end = module_name(rest, 1);
                let text = &rest[..end];
                (
                    if first == '$' {
                        Tok::Var(text)
                    } else {
                        Tok::Format(text)
                    },
                    end,
                )
            }
            c if is_name_start(c) => {
                let end = module_name(rest, 0);
                (Tok::Word(&rest[..end]), end)
            }
            c if c.is_ascii_digit() => {
                let end = number(rest);
                (Tok::Number(&rest[..end]), end)
            }
            other => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => (Tok::Symbol(symbol), symbol.len()),
                None if other == '\'' => {
                    return Err(
                        self.error(at, "strings stand in double quotes, not in single ones")
                    );
                }
                None => {
                    return Err(self.error(
                        at,
                        format_args!("`{}` means nothing in jq", other.escape_debug()),
                    ));
                }
            },
        };
        self.at += len;
        Ok(Token { tok, at })
    }

    /// White space and comments. A backslash at the end of a line continues a comment.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            loop {
                let line = self.rest();
                let end = line.find('\n');
                self.at += end.map_or(line.len(), |end| end + 1);
                let line = &line[..end.unwrap_or(line.len())];
                let line = line.strip_suffix('\r').unwrap_or(line);
                let backslashes = line.bytes().rev().take_while(|b| *b == b'\\').count();
                if end.is_none() || backslashes % 2 == 0 {
                    break;
                }
            }
        }
    }
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// End of a name with its module prefixes, beginning at `start`.
fn module_name(text: &str, start: usize) -> usize {
    let mut end = start;
    loop {
        end += text[end..]
            .find(|c: char| !is_name(c))
            .unwrap_or(text.len() - end);
        match text[end..].strip_prefix("::") {
            Some(more) if more.starts_with(is_name_start) => end += 2,
            _ => return end,
        }
    }
}

/// End of a number at the start of the text.
fn number(text: &str) -> usize {
    let digits = |from: usize| from + text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}
