//! What a search by a regular expression may cost at worst.
//!
//! fancy-regex counts how often it goes back, and nothing else: not what it reads on the way. An expression that looks ahead as far as
//! the text goes, at each place of the text, takes the square of its length. So the parts of an expression are looked at that can read
//! the same text again, and searches in long texts are cut into steps that the evaluation's limits can stop.

use fancy_regex::{AstNode, Expr, LookAround};

/// Bytes that may be read without a look at the clock, about.
const AT_ONCE: f64 = 2.5e7;

/// Bytes that one step of a search may read at worst, about.
const STEP: f64 = 1e8;

/// Steps of the simplest engine that takes every expression without look-around: its places times the bytes of the text.
const PLAIN: u64 = 1_000_000_000;

/// Most steps back that a search may take.
const BACK: usize = 500_000;

/// As often a search may go back at least, however long the text is.
const BACK_AT_LEAST: usize = 16;

/// Repetitions up to so many times count as that, more as any number.
const FEW: usize = 64;

/// How an expression costs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Cost {
    /// Places of the expression, repetitions written out.
    size: u64,
    /// Whether it needs a search that goes back.
    looks: bool,
    /// The most that an attempt reads: the length of the text to this power.
    power: u32,
    /// The same of what was looked for and found, after which the search is where it was before, and nothing is counted.
    inside: u32,
    /// How many repetitions have no bound.
    loops: u32,
    /// Whether it asks where the search began.
    begins: bool,
}

/// How to search a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// All at once.
    Whole,
    /// From each place on its own.
    Steps,
    /// Not at all: it could take for ever.
    Never,
}

impl Cost {
    /// Of a pattern as fancy-regex takes it.
    pub(super) fn of(pattern: &str) -> Cost {
        match Expr::parse_tree(pattern) {
            Ok(tree) => measure(&tree.expr),
            // It is written in a way that only the flags make sense of.
            Err(_) => Cost {
                size: pattern.len() as u64,
                looks: true,
                power: 1,
                inside: 1,
                loops: 2,
                begins: false,
            },
        }
    }

    /// How to search a text of so many bytes.
    pub(super) fn way(self, length: usize) -> Way {
        if self.size.saturating_add(32).saturating_mul(length as u64) > PLAIN {
            return Way::Never;
        }
        let bytes = |power: u32| (length as f64).powi(power as i32);
        if !self.looks || bytes(self.power + 1) <= AT_ONCE && length < BACK / 8 || self.begins {
            Way::Whole
        } else if bytes(self.power) * BACK_AT_LEAST as f64 <= STEP {
            Way::Steps
        } else {
            Way::Never
        }
    }

    /// What an attempt at one place of the text may read.
    pub(super) fn attempt(self, length: usize) -> u64 {
        (length as f64).powi(self.power as i32) as u64
    }

    /// How often a search may go back, for texts of up to `2^exponent` bytes.
    pub(super) fn back(self, exponent: u32) -> usize {
        // A single repetition is gone through once, and counted on the way back; what comes behind one is read again each time.
        let again = self.inside > 0 || self.loops > 1;
        let each = if again { self.power } else { 0 };
        ((STEP / 2f64.powi((exponent * each) as i32)) as usize).clamp(BACK_AT_LEAST, BACK)
    }
}

fn measure(expr: &Expr) -> Cost {
    let one = Cost {
        size: 1,
        ..Cost::default()
    };
    match expr {
        Expr::Literal { val, .. } => Cost {
            size: val.len() as u64,
            ..one
        },
        Expr::Repeat { child, lo, hi, .. } => {
            let child = measure(child);
            let times = if *hi == usize::MAX { *lo } else { *hi };
            Cost {
                size: child.size.saturating_mul(times.max(1) as u64),
                power: match *hi > FEW {
                    true => child.power.max(1 + child.inside),
                    false => child.power,
                },
                loops: child.loops + u32::from(*hi > FEW),
                ..child
            }
        }
        Expr::LookAround(child, kind) => {
            let child = measure(child);
            let behind = matches!(kind, LookAround::LookBehind | LookAround::LookBehindNeg);
            let negative = matches!(kind, LookAround::LookAheadNeg | LookAround::LookBehindNeg);
            // How far back an expression begins that may be any length is found by trying.
            let power = child.power + u32::from(behind && child.power > 0);
            Cost {
                looks: true,
                power,
                // What must not be there is given up each time, which is counted.
                inside: if negative {
                    child.inside
                } else {
                    child.inside.max(power)
                },
                loops: child.loops + u32::from(child.loops > 0),
                ..child
            }
        }
        Expr::AtomicGroup(child) => Cost {
            looks: true,
            loops: 2,
            ..measure(child)
        },
        Expr::AstNode(AstNode::AstGroup { inner, .. }, _) => measure(inner),
        Expr::ContinueFromPreviousMatchEnd => Cost {
            looks: true,
            begins: true,
            ..one
        },
        // A group that is met again may have any length.
        Expr::Backref { .. } | Expr::AstNode(AstNode::Backref { .. }, _) => Cost {
            looks: true,
            power: 1,
            loops: 2,
            ..one
        },
        Expr::SubroutineCall(_)
        | Expr::AstNode(AstNode::SubroutineCall(_), _)
        | Expr::BackrefWithRelativeRecursionLevel { .. }
        | Expr::Absent(_) => Cost {
            looks: true,
            power: 2,
            inside: 1,
            ..one
        },
        Expr::KeepOut
        | Expr::BackrefExistsCondition { .. }
        | Expr::AstNode(AstNode::BackrefExistsCondition { .. }, _)
        | Expr::BacktrackingControlVerb(_) => Cost { looks: true, ..one },
        Expr::Conditional { .. } => Cost {
            looks: true,
            ..children(expr)
        },
        leaf if leaf.is_leaf_node() => one,
        _ => children(expr),
    }
}

fn children(expr: &Expr) -> Cost {
    expr.children_iter()
        .map(measure)
        .fold(Cost::default(), |all, child| Cost {
            size: all.size.saturating_add(child.size),
            looks: all.looks || child.looks,
            power: all.power.max(child.power),
            inside: all.inside.max(child.inside),
            loops: all.loops.saturating_add(child.loops),
            begins: all.begins || child.begins,
        })
}

#[cfg(test)]
mod tests {
    use super::{Cost, Way};

    #[test]
    fn what_reads_the_same_text_again_counts() {
        for (pattern, looks, power) in [
            ("a+b", false, 1),
            ("[0-9]{4}-x", false, 0),
            ("(?<=a)b", true, 0),
            ("(?=.*b)a", true, 1),
            ("(a+)\\1", true, 1),
            ("((?!foo).)*x", true, 1),
            ("(a(?=.*b))*c", true, 2),
            ("(a(?!.*b))*c", true, 1),
            ("(?:a(?=(?:b(?=.*c))+))*", true, 3),
            ("(?<=a.*)b", true, 2),
            ("(?>a+)b", true, 1),
        ] {
            let cost = Cost::of(pattern);
            assert_eq!((cost.looks, cost.power), (looks, power), "{pattern}");
        }
    }

    #[test]
    fn going_back_is_limited_where_it_reads_much_again() {
        let back = |pattern| Cost::of(pattern).back(20);
        assert_eq!(back("(?<=<b>).*?(?=</b>)"), super::BACK);
        assert!(back("(?<=<b>).*?(?=</b>).*x") < 100);
        assert_eq!(back("^(?:(?!foo).)*$"), super::BACK);
        assert!(back("^(?:(?!\\w+foo).)*$") < 100);
        assert!(back("^(?!.*foo)a") < 100);
        assert!(back("(?>a*)b") < 100);
    }

    #[test]
    fn long_texts_are_searched_in_steps_or_not_at_all() {
        assert_eq!(Cost::of("a+b").way(10_000_000), Way::Whole);
        assert_eq!(Cost::of("(a{100}){100}").way(1_000_000), Way::Never);
        assert_eq!(Cost::of("(?<=a)b").way(10_000), Way::Whole);
        assert_eq!(Cost::of("(?<=a)b").way(1_000_000), Way::Steps);
        assert_eq!(Cost::of("(?=.*b)a").way(5_000), Way::Whole);
        assert_eq!(Cost::of("(?=.*b)a").way(100_000), Way::Steps);
        assert_eq!(Cost::of("(a(?=.*b))*c").way(250), Way::Whole);
        assert_eq!(Cost::of("(a(?=.*b))*c").way(2_000), Way::Steps);
        assert_eq!(Cost::of("(a(?=.*b))*c").way(100_000), Way::Never);
    }
}
