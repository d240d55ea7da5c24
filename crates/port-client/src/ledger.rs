//! Who may be deleted: the ledger of sources and the proof that it gives.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The list of everything that is read in one run, and of how each read ended.
///
/// Deleting is dangerous because an entity that was not seen looks the same as one that no longer exists. So a
/// [`Proof`] is needed to delete, and only [`Ledger::prove`] makes one: when *every* source that feeds the blueprint
/// was opened here, was closed, and was closed as [`Verdict::Complete`].
///
/// What was opened and never closed (a stream that was dropped, a task that died) counts as incomplete. Register all that has
/// to be true before something may be deleted: each read endpoint, each child of a parent, and the upserts
/// themselves, whose acknowledgement a delete has to wait for.
///
/// The proof borrows the ledger: as long as one is alive, no source can be opened or closed behind its back.
///
/// ```
/// use longshore_port_client::{Feeds, Ledger, Verdict};
///
/// let mut ledger = Ledger::new();
/// let users = ledger.open("/api/v1/users", Feeds::Blueprint("user".into()));
/// let teams = ledger.open("/api/v1/teams", Feeds::Blueprint("team".into()));
/// ledger.close(users, Verdict::Complete);
/// ledger.close(teams, Verdict::Incomplete("page 3 answered 500".into()));
///
/// assert_eq!(ledger.prove("user").unwrap().blueprint(), "user");
/// assert_eq!(
///     ledger.prove("team").unwrap_err().to_string(),
///     "nothing of blueprint `team` is deleted: `/api/v1/teams` was not read to its end: page 3 answered 500",
/// );
/// ```
///
/// A source is closed once; the second time does not compile:
///
/// ```compile_fail,E0382
/// # use longshore_port_client::{Feeds, Ledger, Verdict};
/// # let mut ledger = Ledger::new();
/// let id = ledger.open("/users", Feeds::Any);
/// ledger.close(id, Verdict::Incomplete("cut".into()));
/// ledger.close(id, Verdict::Complete);
/// ```
///
/// Neither does opening a source while a proof is in use:
///
/// ```compile_fail,E0502
/// # use longshore_port_client::{Feeds, Ledger, Verdict};
/// # let mut ledger = Ledger::new();
/// # let id = ledger.open("/users", Feeds::Any);
/// # ledger.close(id, Verdict::Complete);
/// let proof = ledger.prove("user").unwrap();
/// ledger.open("/more-users", Feeds::Any);
/// drop(proof);
/// ```
#[derive(Debug)]
pub struct Ledger {
    number: u64,
    sources: Vec<Source>,
}

impl Ledger {
    /// An empty ledger, which proves nothing.
    pub fn new() -> Ledger {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Ledger {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            sources: Vec::new(),
        }
    }

    /// Registers something that has to end well. `source` is what a person would call it, such as an endpoint; it
    /// appears in [`Withheld`].
    ///
    /// Open before the first request goes out: what was never opened protects nothing.
    pub fn open(&mut self, source: &str, feeds: Feeds) -> SourceId {
        self.sources.push(Source {
            name: source.to_owned(),
            feeds,
            verdict: None,
        });
        SourceId {
            ledger: self.number,
            index: self.sources.len() - 1,
        }
    }

    /// Records how a source ended. The id of another ledger closes nothing here, so that its source stays
    /// incomplete where it was opened.
    pub fn close(&mut self, id: SourceId, verdict: Verdict) {
        if id.ledger == self.number
            && let Some(source) = self.sources.get_mut(id.index)
        {
            source.verdict = Some(verdict);
        }
    }

    /// The proof that everything that may feed `blueprint` was read to its end.
    ///
    /// # Errors
    ///
    /// [`Withheld`] when no source feeds the blueprint, or when one of them (each [`Feeds::Any`] is one) is
    /// incomplete or was never closed.
    pub fn prove(&self, blueprint: &str) -> Result<Proof<'_>, Withheld> {
        let withheld = |reason| Withheld {
            blueprint: blueprint.to_owned(),
            reason,
        };
        let mut fed = false;
        let mut unproven = Vec::new();
        for source in self
            .sources
            .iter()
            .filter(|source| source.feeds.feeds(blueprint))
        {
            fed = true;
            let cause = match &source.verdict {
                Some(Verdict::Complete) => continue,
                Some(Verdict::Incomplete(cause)) => cause.clone(),
                None => "it was abandoned before its end".to_owned(),
            };
            unproven.push(Unproven {
                source: source.name.clone(),
                cause,
            });
        }
        if !fed {
            return Err(withheld(WithheldReason::NoSource));
        }
        if !unproven.is_empty() {
            return Err(withheld(WithheldReason::Incomplete(unproven)));
        }
        Ok(Proof {
            blueprint: blueprint.to_owned(),
            _ledger: self,
        })
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger::new()
    }
}

/// The blueprints that a source may produce entities of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feeds {
    /// Only this one: the mapping's blueprint expression is a constant.
    Blueprint(String),
    /// Nobody knows before reading, so the source stands for every blueprint.
    Any,
}

impl Feeds {
    fn feeds(&self, blueprint: &str) -> bool {
        match self {
            Feeds::Blueprint(name) => name == blueprint,
            Feeds::Any => true,
        }
    }
}

/// How a source ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was read, and there is a positive reason to believe so.
    Complete,
    /// Something may be missing; the text says what happened, in one line.
    Incomplete(String),
}

/// The handle of an open source. It can be neither copied nor made up, so a source is closed at most once.
#[derive(Debug)]
#[must_use = "a source that is never closed withholds every delete of its blueprints"]
pub struct SourceId {
    ledger: u64,
    index: usize,
}

/// That everything which feeds one blueprint was read to its end: the permission to delete entities of it.
///
/// Only [`Ledger::prove`] makes one; it cannot be cloned or serialised, and it does not outlive its ledger.
///
/// ```compile_fail,E0451
/// # let ledger = longshore_port_client::Ledger::new();
/// let forged = longshore_port_client::Proof { blueprint: "user".into(), _ledger: &ledger };
/// ```
#[derive(Debug)]
pub struct Proof<'ledger> {
    blueprint: String,
    _ledger: &'ledger Ledger,
}

impl Proof<'_> {
    /// The blueprint whose entities may be deleted.
    pub fn blueprint(&self) -> &str {
        &self.blueprint
    }
}

/// Why there is no [`Proof`] for a blueprint. `Display` is one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    blueprint: String,
    reason: WithheldReason,
}

impl Withheld {
    /// The blueprint of which nothing is deleted.
    pub fn blueprint(&self) -> &str {
        &self.blueprint
    }

    /// The reason, for programs.
    pub fn reason(&self) -> &WithheldReason {
        &self.reason
    }
}

/// What a [`Withheld`] stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithheldReason {
    /// Nothing that was read feeds the blueprint.
    NoSource,
    /// These sources did not end as complete; at least one.
    Incomplete(Vec<Unproven>),
}

/// A source that did not end as complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unproven {
    /// The name it was opened with.
    pub source: String,
    /// What happened, in one line.
    pub cause: String,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing of blueprint `{}` is deleted: ", self.blueprint)?;
        match &self.reason {
            WithheldReason::NoSource => f.write_str("no resource of this run feeds it"),
            WithheldReason::Incomplete(unproven) => {
                // One cause is enough to act on; a failed parent may leave hundreds of the same.
                if let Some(Unproven { source, cause }) = unproven.first() {
                    write!(f, "`{source}` was not read to its end: {cause}")?;
                }
                match unproven.len() {
                    0 | 1 => Ok(()),
                    n => write!(f, " (and {} more)", n - 1),
                }
            }
        }
    }
}

impl std::error::Error for Withheld {}

#[derive(Debug)]
struct Source {
    name: String,
    feeds: Feeds,
    verdict: Option<Verdict>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(blueprint: &str) -> Feeds {
        Feeds::Blueprint(blueprint.to_owned())
    }

    fn cut() -> Verdict {
        Verdict::Incomplete("cut".to_owned())
    }

    fn unproven(ledger: &Ledger, blueprint: &str) -> Vec<String> {
        match ledger.prove(blueprint).unwrap_err().reason() {
            WithheldReason::Incomplete(sources) => {
                sources.iter().map(|s| s.source.clone()).collect()
            }
            WithheldReason::NoSource => panic!("`{blueprint}` has a source"),
        }
    }

    #[test]
    fn a_blueprint_whose_sources_are_all_complete_is_proven() {
        let mut ledger = Ledger::new();
        for name in ["/users", "/admins"] {
            let id = ledger.open(name, only("user"));
            ledger.close(id, Verdict::Complete);
        }
        assert_eq!(ledger.prove("user").unwrap().blueprint(), "user");
    }

    #[test]
    fn an_empty_ledger_proves_nothing() {
        let ledger = Ledger::default();
        assert_eq!(
            ledger.prove("user").unwrap_err().reason(),
            &WithheldReason::NoSource
        );
    }

    #[test]
    fn a_blueprint_that_no_source_feeds_has_no_proof() {
        let mut ledger = Ledger::new();
        let id = ledger.open("/users", only("user"));
        ledger.close(id, Verdict::Complete);
        let withheld = ledger.prove("team").unwrap_err();
        assert_eq!(withheld.reason(), &WithheldReason::NoSource);
        assert_eq!(withheld.blueprint(), "team");
        // Names are compared as they are: Port's blueprints differ by case.
        assert!(ledger.prove("User").is_err());
    }

    #[test]
    fn one_incomplete_source_of_many_withholds_and_is_named_with_its_cause() {
        let mut ledger = Ledger::new();
        let ids: Vec<_> = (0..20)
            .map(|n| ledger.open(&format!("/teams/{n}/users"), only("user")))
            .collect();
        for (n, id) in ids.into_iter().enumerate() {
            let verdict = if n == 7 {
                Verdict::Incomplete("503 after 6 attempts".into())
            } else {
                Verdict::Complete
            };
            ledger.close(id, verdict);
        }
        assert_eq!(
            ledger.prove("user").unwrap_err().to_string(),
            "nothing of blueprint `user` is deleted: `/teams/7/users` was not read to its end: 503 after 6 attempts"
        );
    }

    #[test]
    fn a_source_that_is_still_open_withholds() {
        let mut ledger = Ledger::new();
        let id = ledger.open("/users", only("user"));
        assert_eq!(unproven(&ledger, "user"), ["/users"]);
        ledger.close(id, Verdict::Complete);
        assert!(ledger.prove("user").is_ok());
    }

    #[test]
    fn a_source_whose_handle_was_dropped_withholds_for_ever() {
        let mut ledger = Ledger::new();
        let first = ledger.open("/users", only("user"));
        drop(ledger.open("/admins", only("user")));
        ledger.close(first, Verdict::Complete);
        assert_eq!(unproven(&ledger, "user"), ["/admins"]);
    }

    #[test]
    fn an_incomplete_source_of_unknown_blueprints_protects_every_blueprint() {
        let mut ledger = Ledger::new();
        for blueprint in ["user", "team"] {
            let id = ledger.open(blueprint, only(blueprint));
            ledger.close(id, Verdict::Complete);
        }
        assert!(ledger.prove("user").is_ok());
        let any = ledger.open("/things", Feeds::Any);
        assert_eq!(unproven(&ledger, "user"), ["/things"]);
        assert_eq!(unproven(&ledger, "never heard of"), ["/things"]);
        ledger.close(any, cut());
        assert_eq!(unproven(&ledger, "user"), ["/things"]);
        assert_eq!(unproven(&ledger, "team"), ["/things"]);
    }

    #[test]
    fn a_complete_source_of_unknown_blueprints_is_a_source_of_each() {
        let mut ledger = Ledger::new();
        let any = ledger.open("/things", Feeds::Any);
        ledger.close(any, Verdict::Complete);
        assert!(ledger.prove("user").is_ok());
        let users = ledger.open("/users", only("user"));
        ledger.close(users, cut());
        assert_eq!(unproven(&ledger, "user"), ["/users"]);
        assert!(ledger.prove("team").is_ok());
    }

    #[test]
    fn another_blueprint_is_not_held_back() {
        let mut ledger = Ledger::new();
        let users = ledger.open("/users", only("user"));
        let teams = ledger.open("/teams", only("team"));
        ledger.close(users, cut());
        ledger.close(teams, Verdict::Complete);
        assert!(ledger.prove("team").is_ok());
        assert!(ledger.prove("user").is_err());
    }

    #[test]
    fn the_same_endpoint_read_twice_needs_both_reads() {
        let mut ledger = Ledger::new();
        let first = ledger.open("/users", only("user"));
        let second = ledger.open("/users", only("user"));
        ledger.close(second, Verdict::Complete);
        assert!(ledger.prove("user").is_err());
        ledger.close(first, Verdict::Complete);
        assert!(ledger.prove("user").is_ok());
    }

    #[test]
    fn the_handle_of_another_ledger_closes_nothing() {
        let mut ours = Ledger::new();
        let mut theirs = Ledger::new();
        let ours_id = ours.open("/users", only("user"));
        let theirs_id = theirs.open("/users", only("user"));
        ours.close(theirs_id, Verdict::Complete);
        assert!(ours.prove("user").is_err());
        assert!(theirs.prove("user").is_err());
        ours.close(ours_id, Verdict::Complete);
        assert!(ours.prove("user").is_ok());
    }

    #[test]
    fn many_incomplete_sources_give_one_line() {
        let mut ledger = Ledger::new();
        for n in 0..3 {
            let id = ledger.open(&format!("/{n}"), only("user"));
            ledger.close(id, cut());
        }
        assert_eq!(
            ledger.prove("user").unwrap_err().to_string(),
            "nothing of blueprint `user` is deleted: `/0` was not read to its end: cut (and 2 more)"
        );
    }
}
