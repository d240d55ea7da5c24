//! `@csv`, `@base64` and the other formats.

use super::{Builtin, f, made};
use crate::fail::{self, ValR};
use crate::val::{Repr, Val};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

pub(super) fn funs() -> Vec<Builtin> {
    vec![
        f!("@text", |input| match input.as_str() {
            Some(_) => Ok(input),
            None => made(input.to_string()),
        }),
        f!("@json", |input| made(input.to_string())),
        f!("@csv", |input| row(
            &input,
            "cannot be csv-formatted, only array",
            ",",
            |s| format!("\"{}\"", nul(s.replace('"', "\"\"")))
        )),
        f!("@tsv", |input| row(
            &input,
            "cannot be tsv-formatted, only array",
            "\t",
            |s| {
                nul(s
                    .replace('\\', "\\\\")
                    .replace('\t', "\\t")
                    .replace('\n', "\\n")
                    .replace('\r', "\\r"))
            }
        )),
        f!("@html", |input| made(html(&text(&input)))),
        f!("@uri", |input| made(uri(&text(&input)))),
        f!("@urid", |input| {
            let text = text(&input);
            decode_uri(&text).map_or_else(
                || Err(fail::typed(&input, "is not a valid uri encoding")),
                made,
            )
        }),
        f!("@sh", |input| sh(&input)),
        f!("@base64", |input| made(STANDARD.encode(text(&input)))),
        f!("@base64d", |input| decode_base64(&text(&input))
            .map_err(|what| fail::typed(&Val::from(text(&input)), what))
            .and_then(made)),
        f!("@base32", |input| made(base32(text(&input).as_bytes()))),
        f!("@base32d", |input| {
            decode_base32(&text(&input)).map_or_else(
                || Err(fail::typed(&input, "is not valid base32 data")),
                made,
            )
        }),
        f!("_format", |_input, name| Err(no_format(&name))),
        f!("format", |input, name| match name.as_str() {
            Some(text) => match super::plain(&format!("@{text}"), 0) {
                Some(super::Plain::Zero(run)) => run(input),
                _ => Err(no_format(&name)),
            },
            None => Err(fail::typed(&name, "is not a valid format")),
        }),
    ]
}

fn no_format(name: &Val) -> fail::Error {
    fail::told(
        format!(
            "{} is not a valid format",
            name.as_str().unwrap_or_default()
        ),
        "not a valid format",
    )
}

/// What `tostring` gives.
fn text(value: &Val) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

/// One line of a table.
fn row(
    value: &Val,
    otherwise: &'static str,
    separator: &str,
    quote: impl Fn(&str) -> String,
) -> ValR {
    let Some(items) = value.as_array() else {
        return Err(fail::typed(value, otherwise));
    };
    let mut line = String::new();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            line.push_str(separator);
        }
        match &item.0 {
            Repr::Null => {}
            Repr::Bool(_) | Repr::Num(_) => line.push_str(&item.to_string()),
            Repr::Str(s) => line.push_str(&quote(s)),
            Repr::Arr(_) | Repr::Obj(_) => {
                return Err(fail::typed(item, "is not valid in a csv row"));
            }
        }
    }
    made(line)
}

/// jq writes this character as an escape wherever it escapes others.
fn nul(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\\0")
    } else {
        text
    }
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out
}

fn uri(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn decode_uri(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            out.push(*byte);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(out).ok()
}

fn sh(value: &Val) -> ValR {
    let word = |item: &Val| match &item.0 {
        Repr::Arr(_) | Repr::Obj(_) => Err(fail::typed(item, "can not be escaped for shell")),
        Repr::Str(s) => Ok(format!("'{}'", nul(s.replace('\'', "'\\''")))),
        _ => Ok(item.to_string()),
    };
    match value.as_array() {
        Some(items) => made(
            items
                .iter()
                .map(word)
                .collect::<Result<Vec<_>, _>>()?
                .join(" "),
        ),
        None => made(word(value)?),
    }
}

/// Up to the first `=`; padding may be missing, and bits that make no byte are dropped.
fn decode_base64(text: &str) -> Result<String, &'static str> {
    let data = text.split('=').next().unwrap_or_default();
    let mut out = Vec::with_capacity(data.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in data.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err("is not valid base64 data"),
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if data.len() % 4 == 1 {
        return Err("trailing base64 byte found");
    }
    Ok(lossy(&out))
}

/// Bytes as text, with a replacement character for what is no UTF-8, cut as jq cuts it: a character that the end cuts
/// short takes everything up to the end.
fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let length = match first {
            0..=0x7f => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 0,
        };
        let continued = rest
            .iter()
            .skip(1)
            .take(3)
            .take_while(|b| *b & 0xc0 == 0x80)
            .count();
        let taken = match length {
            0 => 1,
            _ if length > rest.len() => rest.len(),
            _ => length.min(continued + 1),
        };
        let (character, after) = rest.split_at(taken);
        match std::str::from_utf8(character) {
            Ok(character) => out.push_str(character),
            Err(_) => out.push(char::REPLACEMENT_CHARACTER),
        }
        rest = after;
    }
    out
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut block = [0; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(block);
        let digits = (chunk.len() * 8).div_ceil(5);
        for i in 0..8 {
            let digit = (bits >> (35 - 5 * i) & 31) as usize;
            out.push(if i < digits {
                char::from(BASE32[digit])
            } else {
                '='
            });
        }
    }
    out
}

fn decode_base32(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = BASE32.iter().position(|digit| *digit == byte)?;
        bits = bits << 5 | value as u32;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}
