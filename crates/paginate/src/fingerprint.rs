//! Short marks of requests and pages, by which one that comes again is known.

use std::io::{self, Write};

use longshore_jq::Val;
use serde::{Deserialize, Serialize};

use crate::request::PageRequest;

/// Where records usually say which they are.
const IDENTIFIERS: [&str; 6] = ["id", "_id", "uuid", "guid", "key", "sys_id"];

/// A 64-bit mark. It stands in checkpoints, so it is the same in every process and version: changing how it is made makes
/// old checkpoints forget what they saw.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// Of a request: method, URL, body, and the headers in which it differs from the caller's.
    pub(crate) fn of_request(request: &PageRequest, base: &PageRequest) -> Fingerprint {
        let mut mark = Mark::default();
        mark.part(request.method.as_str().as_bytes());
        mark.part(request.url.as_str().as_bytes());
        for (name, value) in &request.headers {
            if base.headers.get(name) != Some(value) {
                mark.part(name.as_str().as_bytes());
                mark.part(value.as_bytes());
            }
        }
        if let Some(body) = &request.body {
            mark.json(body);
        }
        mark.finish()
    }

    /// Of one record. Where it stands as the API sent it, that text is marked: writing it anew would cost more than mapping it.
    pub(crate) fn of_record(record: &Val) -> Fingerprint {
        let mut mark = Mark::default();
        match record.source_text() {
            Some(text) => mark.part(text.as_bytes()),
            None => mark.json(record),
        }
        mark.finish()
    }

    /// Of what a record is, whatever it holds by now: its identifier under a usual name, else all of it.
    pub(crate) fn of_identity(record: &Val) -> Fingerprint {
        Fingerprint::of_identifier(record).unwrap_or_else(|| Fingerprint::of_record(record))
    }

    fn of_identifier(record: &Val) -> Option<Fingerprint> {
        let scalar = |name: &&str| {
            let value = record.get(name)?;
            (value.as_str().is_some_and(|text| !text.is_empty()) || value.is_number())
                .then_some(value)
        };
        IDENTIFIERS
            .iter()
            .find_map(scalar)
            .map(Fingerprint::of_record)
    }

    /// Of what each of these records is, where the marks of all they hold are known.
    pub(crate) fn of_identities(records: &[Val], marks: &[Fingerprint]) -> Vec<Fingerprint> {
        let of_one = |(record, mark): (&Val, &Fingerprint)| {
            Fingerprint::of_identifier(record).unwrap_or(*mark)
        };
        records.iter().zip(marks).map(of_one).collect()
    }

    /// Of a page, from the marks of its records in order.
    pub(crate) fn of_page(records: &[Fingerprint]) -> Fingerprint {
        let mut mark = Mark::default();
        for record in records {
            mark.part(&record.0.to_le_bytes());
        }
        mark.finish()
    }
}

/// Mixes eight bytes at a time with a folded multiplication, as the fast non-cryptographic hashes do. A collision makes a read Incomplete.
/// Only where a read is resumed could it hide something: that the request is another one, or that the last page has changed.
#[derive(Default)]
struct Mark {
    state: u64,
    word: [u8; 8],
    filled: usize,
    length: u64,
}

impl Mark {
    fn part(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
        // What ends one part must not be the beginning of the next.
        self.spill();
        self.mix(self.length);
    }

    fn json(&mut self, value: &impl Serialize) {
        // Writing JSON into memory fails for values that JSON cannot hold only; what was written until then still counts.
        let _ = serde_json::to_writer(&mut *self, value);
        self.part(&[]);
    }

    fn bytes(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.filled == 0 {
                while let Some((word, rest)) = bytes.split_first_chunk::<8>() {
                    self.mix(u64::from_le_bytes(*word));
                    bytes = rest;
                }
            }
            let taken = bytes.len().min(8 - self.filled);
            self.word[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == 8 {
                self.spill();
            }
        }
    }

    fn spill(&mut self) {
        if self.filled > 0 {
            self.mix(u64::from_le_bytes(self.word));
            self.word = [0; 8];
            self.filled = 0;
        }
    }

    fn mix(&mut self, word: u64) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let wide = u128::from(self.state ^ word ^ ODD) * u128::from(ODD.rotate_left(32) | 1);
        self.state = (wide as u64) ^ ((wide >> 64) as u64).rotate_left(23);
    }

    fn finish(mut self) -> Fingerprint {
        self.spill();
        self.mix(self.length);
        Fingerprint(self.state)
    }
}

impl Write for Mark {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::Method;
    use url::Url;

    use super::*;

    fn of_records(records: &[Val]) -> Fingerprint {
        let marks: Vec<_> = records.iter().map(Fingerprint::of_record).collect();
        Fingerprint::of_page(&marks)
    }

    #[test]
    fn requests_differ_by_method_url_body_and_the_headers_that_paging_set() {
        let base = PageRequest::new(Method::GET, Url::parse("https://h/a?x=1").unwrap());
        let mut all = vec![base.clone()];
        for change in [
            |r: &mut PageRequest| r.method = Method::POST,
            |r: &mut PageRequest| r.set_query("x", "2"),
            |r: &mut PageRequest| r.set_body("cursor", "a".into()).unwrap(),
            |r: &mut PageRequest| r.set_body("cursor", "b".into()).unwrap(),
            |r: &mut PageRequest| r.set_header("x-page", "1").unwrap(),
            |r: &mut PageRequest| r.set_header("x-page", "2").unwrap(),
        ] {
            let mut request = base.clone();
            change(&mut request);
            all.push(request);
        }
        let marks: HashSet<_> = all
            .iter()
            .map(|request| Fingerprint::of_request(request, &base))
            .collect();
        assert_eq!(marks.len(), all.len());
    }

    #[test]
    fn a_changed_byte_or_a_moved_border_changes_the_mark_of_a_page() {
        let pages: Vec<Vec<Val>> = vec![
            vec!["ab".into(), "c".into()],
            vec!["a".into(), "bc".into()],
            vec!["abc".into()],
            vec!["c".into(), "ab".into()],
            vec!["ab".into(), "d".into()],
            vec![],
        ];
        let marks: HashSet<_> = pages.iter().map(|page| of_records(page)).collect();
        assert_eq!(marks.len(), pages.len());
        let many: HashSet<_> = (0..100_000u64).map(|n| of_records(&[n.into()])).collect();
        assert_eq!(many.len(), 100_000);
    }

    #[test]
    fn a_record_of_a_page_is_marked_by_its_text() {
        let page = |text: &str| Val::read_page(text).unwrap();
        let marks = |body: &Val| -> Vec<Fingerprint> {
            let records = body.as_array().unwrap();
            records.iter().map(Fingerprint::of_record).collect()
        };
        let here = marks(&page(r#"[{"id":1,"a":[1.50]},{"id":2}]"#));
        assert_eq!(here, marks(&page(r#"[ {"id":1,"a":[1.50]} , {"id":2} ]"#)));
        assert_ne!(here, marks(&page(r#"[{"id":1,"a":[1.51]},{"id":2}]"#)));
        // Compact text is what writing a record gives, so a page that the slower reader took has the same marks.
        let text = r#"[{"id":1,"a":["x",null,2.5]}]"#;
        let slow: Val = serde_json::from_str(text).unwrap();
        assert_eq!(marks(&page(text)), marks(&slow));
    }

    #[test]
    fn a_mark_stays_the_same_in_every_build_because_checkpoints_hold_it() {
        let mark = of_records(&["a".into(), 7u64.into()]);
        assert_eq!(
            mark.0, 849_874_913_262_359_197,
            "the marks in checkpoints would no longer be known"
        );
    }
}
