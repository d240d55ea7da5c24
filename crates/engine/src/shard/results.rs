//! The files of all shards, checked and put together.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use longshore_port_client::{Ledger, Verdict};
use serde::Deserialize;
use serde_json::Value;

use super::sink::VERSION;
use super::{Shard, file_name, shard_of_file};
use crate::port::CLOCK_SLACK;
use crate::resource::Resource;
use crate::sink::{Evidence, Mark, Seen};
use crate::stable::StableHash;

/// How long after the first shard began nothing more is deleted on the ground of what the shards saw, and how far apart shards of one sync begin at most.
/// What was seen since by other syncs, and not written because it had not changed, would look gone.
pub const LONGEST_RUN: Duration = Duration::from_secs(24 * 60 * 60);

/// What all shards of one sync left behind: together, what one process would have seen.
#[derive(Debug)]
pub struct ShardResults {
    pub(crate) evidence: Evidence,
    shards: u32,
    entities: u64,
    rejected: u64,
}

/// Why the files in a folder are not the results of one sync; all reasons, one line each. Nothing may be removed on their ground.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShardProblems(pub Vec<String>);

impl fmt::Display for ShardProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ShardProblems {}

/// A file's first line.
#[derive(Debug, Deserialize)]
struct Head {
    longshore: String,
    version: u64,
    #[serde(default)]
    identity: String,
    #[serde(default)]
    index: u32,
    #[serde(default)]
    count: u32,
    began: Option<u64>,
}

/// A file's last line.
#[derive(Debug, Deserialize)]
struct End {
    end: Ending,
}

#[derive(Debug, Deserialize)]
struct Ending {
    entities: u64,
    resources: Vec<Read>,
    unknown: Vec<String>,
    failure: Option<String>,
    #[serde(default)]
    rejected: u64,
    checksum: String,
}

#[derive(Debug, Deserialize)]
struct Read {
    kind: String,
    outcome: String,
    cause: Option<String>,
}

/// One line between the two: blueprint, identifier, and what it relates to; or what a search query stood for.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    LookedUp {
        looked_up: (String, String),
    },
    /// Identifiers, and search queries.
    Related(String, Option<String>, Vec<Value>),
    Plain(String, Option<String>),
}

/// A file that is whole.
struct Whole {
    began: Option<u64>,
    ending: Ending,
}

impl ShardResults {
    /// Reads the files of all shards in this folder. `identity` and `resources` are those of the mapping that the shards have read.
    ///
    /// # Errors
    /// A shard is missing, a file was cut or changed, or is of another mapping, another version, another number of shards, or of another run: it began
    /// more than [`LONGEST_RUN`] before another one.
    pub fn read(
        folder: &Path,
        identity: &str,
        resources: &[Resource],
    ) -> Result<ShardResults, ShardProblems> {
        let files = files(folder)?;
        let mut counts: Vec<u32> = files.keys().map(|(count, _)| *count).collect();
        counts.dedup();
        let count = match counts.as_slice() {
            [] => {
                return Err(ShardProblems(vec![format!(
                    "{}: there is no result of a shard (shard-0-of-….ndjson); run each shard with --shard INDEX/COUNT --shard-dir first",
                    folder.display()
                )]));
            }
            [count] => *count,
            several => {
                let several: Vec<String> = several.iter().map(u32::to_string).collect();
                return Err(ShardProblems(vec![format!(
                    "{}: there are results of different numbers of shards ({}); keep those of one run",
                    folder.display(),
                    several.join(" and ")
                )]));
            }
        };
        let mut problems = Vec::new();
        let mut seen = Seen::default();
        let mut wholes = Vec::new();
        for index in 0..count {
            let shard = Shard { index, count };
            match files.get(&(count, index)) {
                None => problems.push(format!(
                    "{}: {} is missing: shard {shard} has not ended",
                    folder.display(),
                    file_name(shard)
                )),
                Some(file) => match read_file(file, shard, identity, resources, &mut seen) {
                    Ok(whole) => wholes.push((shard, whole)),
                    Err(problem) => problems.push(format!("{}: {problem}", file.display())),
                },
            }
        }
        if !problems.is_empty() {
            return Err(ShardProblems(problems));
        }
        problems.extend(of_earlier_runs(folder, &wholes));
        if !problems.is_empty() {
            return Err(ShardProblems(problems));
        }
        let entities = wholes.iter().map(|(_, whole)| whole.ending.entities).sum();
        let rejected = wholes.iter().map(|(_, whole)| whole.ending.rejected).sum();
        Ok(ShardResults {
            evidence: evidence(wholes, seen, resources),
            shards: count,
            entities,
            rejected,
        })
    }

    /// How many shards there were.
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// How many of them were refused by Port or could not be written.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// How many entities they produced, those that several of them produced counted by each.
    pub fn entities(&self) -> u64 {
        self.entities
    }
}

/// Those that began so long before the last one that they are not of the same run.
fn of_earlier_runs(folder: &Path, wholes: &[(Shard, Whole)]) -> Vec<String> {
    let began = |whole: &Whole| whole.began.map(Duration::from_millis);
    let last = wholes.iter().filter_map(|(_, whole)| began(whole)).max();
    let Some(last) = last else {
        return Vec::new();
    };
    let outdated = wholes.iter().filter(|(_, whole)| {
        began(whole).is_some_and(|began| last.saturating_sub(began) > LONGEST_RUN)
    });
    outdated
        .map(|(shard, _)| {
            format!(
                "{}: is of an earlier run: it began more than {} hours before another one; run the shard again",
                folder.join(file_name(*shard)).display(),
                LONGEST_RUN.as_secs() / 3600
            )
        })
        .collect()
}

/// Why what shards saw from `began` on is no ground for deleting anything `now`, both by Port's clock.
pub(crate) fn too_old(Mark(began): Mark, Mark(now): Mark) -> Option<String> {
    let hours = LONGEST_RUN.as_secs() / 3600;
    let began = began?;
    let Some(now) = now else {
        return Some(
            "Port's answers have no usable Date header, so that nobody knows how long ago the shards began; nothing was deleted"
                .to_owned(),
        );
    };
    match now.duration_since(began) {
        Ok(age) if age > LONGEST_RUN => Some(format!(
            "the first shard began {} hours ago, and what was seen more than {hours} hours ago says nothing about now; nothing was deleted, \
             run the shards again",
            age.as_secs() / 3600
        )),
        Ok(_) => None,
        Err(ahead) if ahead.duration() > CLOCK_SLACK => Some(
            "the shards began later than it is now by Port's clock; nothing was deleted, run them again with the same Port".to_owned(),
        ),
        Err(_) => None,
    }
}

/// What all shards have seen together. The oldest beginning counts: what was updated after it by anybody stays.
fn evidence(wholes: Vec<(Shard, Whole)>, mut seen: Seen, resources: &[Resource]) -> Evidence {
    let mut ledger = Ledger::new();
    let mut failure = None;
    let mut began = Some(u64::MAX);
    for (shard, whole) in wholes {
        began = began.zip(whole.began).map(|(a, b)| a.min(b));
        let mut reads = whole.ending.resources.into_iter();
        for resource in resources {
            if !shard.reads(resource) {
                continue;
            }
            let name = format!("{} (shard {shard})", resource.kind());
            let source = ledger.open(&name, resource.feeds());
            // A read that is not on file stays open, and so unproven.
            if let Some(read) = reads.next() {
                ledger.close(
                    source,
                    match read.outcome == "complete" {
                        true => Verdict::Complete,
                        false => Verdict::Incomplete(
                            read.cause.unwrap_or_else(|| "it says no reason".to_owned()),
                        ),
                    },
                );
            }
        }
        seen.unknown.extend(whole.ending.unknown);
        if let Some(why) = whole.ending.failure {
            failure.get_or_insert(format!(
                "shard {shard} did not end well: {why}; nothing is deleted before it does"
            ));
        }
    }
    Evidence {
        ledger,
        seen,
        mark: Mark(began.map(|began| SystemTime::UNIX_EPOCH + Duration::from_millis(began))),
        resources: resources.len(),
        asked_for: None,
        withhold_all: failure,
        shortfall: None,
    }
}

/// The results in a folder, by number of shards and index.
fn files(folder: &Path) -> Result<BTreeMap<(u32, u32), PathBuf>, ShardProblems> {
    let unreadable = |error: std::io::Error| {
        ShardProblems(vec![format!(
            "{}: cannot be read: {error}",
            folder.display()
        )])
    };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        if let Some(shard) = name.to_str().and_then(shard_of_file) {
            files.insert((shard.count(), shard.index()), entry.path());
        }
    }
    Ok(files)
}

fn read_file(
    file: &Path,
    shard: Shard,
    identity: &str,
    resources: &[Resource],
    seen: &mut Seen,
) -> Result<Whole, String> {
    let opened = File::open(file).map_err(|error| format!("cannot be read: {error}"))?;
    let mut lines = Lines::of(BufReader::new(opened));
    let head: Head = lines
        .next()?
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or("is no result of a shard")?;
    if head.longshore != "shard" {
        return Err("is no result of a shard".to_owned());
    }
    if head.version != VERSION {
        return Err(format!(
            "has version {} of the format, and this program reads version {VERSION}; run all shards and this with one version of it",
            head.version
        ));
    }
    if (head.index, head.count) != (shard.index(), shard.count()) {
        return Err(format!(
            "says that it is of shard {}/{}; it was renamed or copied",
            head.index, head.count
        ));
    }
    if head.identity != identity {
        return Err(
            "is of another mapping, API or integration than this one; run all shards and this with the same configuration"
                .to_owned(),
        );
    }
    let cut = "was cut; run the shard again";
    let (mut count, mut checksum) = (0, lines.hash.hex());
    let ending = loop {
        let line = lines.next()?.ok_or(cut)?;
        if let Ok(end) = serde_json::from_str::<End>(line) {
            break end.end;
        }
        let (blueprint, identifier, related) = match serde_json::from_str(line) {
            Ok(Line::LookedUp {
                looked_up: (blueprint, identifier),
            }) => {
                seen.note_looked_up(&blueprint, &identifier);
                checksum = lines.hash.hex();
                continue;
            }
            Ok(Line::Related(blueprint, identifier, related)) => (blueprint, identifier, related),
            Ok(Line::Plain(blueprint, identifier)) => (blueprint, identifier, Vec::new()),
            Err(_) => return Err(cut.to_owned()),
        };
        seen.note_identifiers(
            &blueprint,
            identifier.as_deref(),
            related.iter().filter_map(Value::as_str),
        );
        for query in related.iter().filter(|related| related.is_object()) {
            seen.note_query(query);
        }
        count += 1;
        checksum = lines.hash.hex();
    };
    if ending.entities != count || ending.checksum != checksum || lines.next()?.is_some() {
        return Err("was changed after it was written; run the shard again".to_owned());
    }
    let expected = resources.iter().filter(|resource| shard.reads(resource));
    let expected = expected.map(Resource::kind);
    let is_short = ending.failure.is_some() && ending.resources.is_empty();
    if !is_short && !expected.eq(ending.resources.iter().map(|read| read.kind.as_str())) {
        return Err(
            "is of other kinds than this mapping has; run all shards and this with the same configuration and without --kind"
                .to_owned(),
        );
    }
    Ok(Whole {
        began: head.began,
        ending,
    })
}

/// Lines with a hash of all but the last.
struct Lines<R> {
    reader: R,
    line: String,
    hash: StableHash,
}

impl<R: BufRead> Lines<R> {
    fn of(reader: R) -> Self {
        Lines {
            reader,
            line: String::new(),
            hash: StableHash::new(),
        }
    }

    /// The next line; none at the end. A line without its end was cut.
    fn next(&mut self) -> Result<Option<&str>, String> {
        self.line.clear();
        let read = self
            .reader
            .read_line(&mut self.line)
            .map_err(|error| format!("cannot be read: {error}"))?;
        if read == 0 {
            return Ok(None);
        }
        if !self.line.ends_with('\n') {
            return Err("was cut; run the shard again".to_owned());
        }
        self.hash.add(self.line.as_bytes());
        Ok(Some(&self.line))
    }
}
