//! Parts of a sync, for processes that work side by side: what each of them reads, and what it leaves behind for the one that deletes.
//!
//! Resources without path parameters are split by their kind, those with parameters by the request of each child; every shard reads the lists of
//! parents. Children that differ only in a window of time or in a batch are read by the same shard: every process cuts those anew. A shard writes entities and deletes nothing. It leaves a file behind with every entity that it produced and with how its reads
//! ended ([`ShardSink`]); [`Engine::reconcile`](crate::Engine::reconcile) takes the files of all shards ([`ShardResults`]) and has removed what
//! none of them produced, where all of them came to a proven end.

mod results;
mod sink;

use std::fmt;
use std::str::FromStr;

pub(crate) use self::results::too_old;
pub use self::results::{LONGEST_RUN, ShardProblems, ShardResults};
pub use self::sink::{ShardSink, forget_result};

use crate::resource::Resource;
use crate::stable::StableHash;

/// One of several parts of a sync, counted from 0.
///
/// ```
/// use longshore_engine::shard::Shard;
///
/// let shard: Shard = "2/4".parse()?;
/// assert_eq!((shard.index(), shard.count()), (2, 4));
/// assert!("4/4".parse::<Shard>().is_err());
/// # Ok::<(), longshore_engine::shard::InvalidShard>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// An index that is not below the count, or text that is no shard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidShard(String);

impl Shard {
    /// Part `index`, from 0, of `count`.
    ///
    /// # Errors
    /// The index is not below the count.
    pub fn new(index: u32, count: u32) -> Result<Shard, InvalidShard> {
        match index < count {
            true => Ok(Shard { index, count }),
            false => Err(InvalidShard(format!(
                "a shard's index counts from 0 to count - 1, and {index} of {count} is not one of them"
            ))),
        }
    }

    /// Which part, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether this shard reads something of that resource.
    pub(crate) fn reads(self, resource: &Resource) -> bool {
        !resource.parts().levels.is_empty() || self.holds(resource.kind())
    }

    /// Whether something of this name belongs to this shard. Every name belongs to one of them.
    pub(crate) fn holds(self, name: &str) -> bool {
        StableHash::of(name.as_bytes()).below(self.count) == self.index
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Shard, InvalidShard> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(index, count)| {
            Some((index.trim().parse().ok()?, count.trim().parse().ok()?))
        });
        match numbers {
            Some((index, count)) => Shard::new(index, count),
            None => Err(InvalidShard(format!(
                "`{text}` is no shard; write it as INDEX/COUNT, the first of four as 0/4"
            ))),
        }
    }
}

impl fmt::Display for InvalidShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidShard {}

/// The name of a shard's file.
fn file_name(shard: Shard) -> String {
    format!("shard-{}-of-{}.ndjson", shard.index, shard.count)
}

/// The shard that a file of this name is of.
fn shard_of_file(name: &str) -> Option<Shard> {
    let (index, count) = name
        .strip_prefix("shard-")?
        .strip_suffix(".ndjson")?
        .split_once("-of-")?;
    Shard::new(index.parse().ok()?, count.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_belongs_to_exactly_one_shard() {
        for count in 1..6 {
            for n in 0..200 {
                let name = format!("/a/{n}");
                let holders = (0..count)
                    .filter(|index| Shard::new(*index, count).unwrap().holds(&name))
                    .count();
                assert_eq!(holders, 1, "{name} of {count}");
            }
        }
    }

    #[test]
    fn shards_are_read_from_text_and_bad_ones_say_how_to_write_them() {
        assert_eq!("0/1".parse(), Shard::new(0, 1));
        for text in ["", "1", "1/0", "1/1", "-1/2", "a/b", "1/2/3"] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains("shard"), "{error}");
        }
    }

    #[test]
    fn files_are_named_after_their_shard() {
        let shard = Shard::new(2, 4).unwrap();
        assert_eq!(shard_of_file(&file_name(shard)), Some(shard));
        assert_eq!(shard_of_file("shard-4-of-4.ndjson"), None);
        assert_eq!(shard_of_file(".shard-2-of-4.ndjson.partial"), None);
    }
}
