//! What goes wrong, as a pure function.

use longshore_transport::ErrorKind;

/// What goes wrong with one answer, by the network or by the server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// 429 with `Retry-After: 2`.
    LimitSeconds,
    /// 429 with a date as `Retry-After`, 3 s after the answer's own `Date`.
    LimitDate,
    /// 429 that does not say how long.
    LimitUntold,
    /// 403 that says by its headers that a limit is reached.
    LimitForbidden,
    /// 500.
    ServerError,
    /// 503.
    Unavailable,
    /// The connection is reset before a byte of the answer.
    ResetBeforeHeaders,
    /// The connection is reset in the middle of the body.
    ResetInBody,
    /// The body is shorter than its `Content-Length`.
    ShortLength,
    /// A chunked body ends in the middle of it.
    CutChunked,
    /// A body without length ends, with its connection, in the middle: to HTTP that is a whole answer.
    CutClose,
    /// A body that says it is gzip and is not.
    BadGzip,
    /// A gzip body that grows to [`Fault::BOMB_BYTES`].
    Bomb,
    /// A byte every 100 ms.
    SlowBytes,
    /// No answer at all.
    Hang,
    /// A good answer, after which the kept connection is closed without a word.
    IdleClose,
    /// 200 with an HTML page.
    Html,
    /// 200 without a body.
    Empty,
    /// 200 with `{"ok": false}`.
    NotOk,
    /// 200 with JSON nested 200 deep.
    Deep,
    /// 401.
    Unauthorized,
    /// A redirect to [`Fault::FOREIGN`].
    ForeignRedirect,
}

impl Fault {
    /// Every one.
    pub const ALL: [Fault; 22] = [
        Fault::LimitSeconds,
        Fault::LimitDate,
        Fault::LimitUntold,
        Fault::LimitForbidden,
        Fault::ServerError,
        Fault::Unavailable,
        Fault::ResetBeforeHeaders,
        Fault::ResetInBody,
        Fault::ShortLength,
        Fault::CutChunked,
        Fault::CutClose,
        Fault::BadGzip,
        Fault::Bomb,
        Fault::SlowBytes,
        Fault::Hang,
        Fault::IdleClose,
        Fault::Html,
        Fault::Empty,
        Fault::NotOk,
        Fault::Deep,
        Fault::Unauthorized,
        Fault::ForeignRedirect,
    ];

    /// Size of a bomb, decompressed: more than a client should read unless told to.
    pub const BOMB_BYTES: usize = 80 << 20;

    /// Where redirects and links lead that must not be followed.
    pub const FOREIGN: &'static str = "https://evil.example/take";

    /// The error that a transport reports for it; `None` where a whole answer arrives and its content is what is wrong.
    pub fn transport_error(self) -> Option<ErrorKind> {
        match self {
            Fault::ResetBeforeHeaders => Some(ErrorKind::Reset),
            Fault::ResetInBody | Fault::ShortLength | Fault::CutChunked | Fault::BadGzip => {
                Some(ErrorKind::Truncated)
            }
            Fault::Bomb => Some(ErrorKind::BodyTooLarge),
            Fault::SlowBytes | Fault::Hang => Some(ErrorKind::Timeout),
            _ => None,
        }
    }

    /// Whether asking again may give what was asked for.
    pub fn passes(self) -> bool {
        !matches!(
            self,
            Fault::Bomb
                | Fault::Html
                | Fault::NotOk
                | Fault::Deep
                | Fault::Unauthorized
                | Fault::ForeignRedirect
        )
    }

    /// Whether the server answers this before it does what the request asks for. After all others it may have been done.
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Fault::LimitSeconds
                | Fault::LimitDate
                | Fault::LimitUntold
                | Fault::LimitForbidden
                | Fault::ServerError
                | Fault::Unavailable
                | Fault::Hang
                | Fault::Unauthorized
                | Fault::ForeignRedirect
        )
    }
}

/// Which answers go wrong, and how: a pure function of the request's path, of which request of that path it is, and of how often that
/// one was asked before.
///
/// ```
/// use longshore_testkit::{Fault, FaultPlan};
///
/// let plan = FaultPlan::new().strike("/users", 2, Fault::ResetInBody, 3);
/// assert_eq!(plan.fault("/users", 2, 3), Some(Fault::ResetInBody));
/// assert_eq!(plan.fault("/users", 2, 4), None, "healed");
/// assert_eq!(plan.fault("/users", 1, 1), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    seed: Option<u64>,
    strikes: Vec<Strike>,
}

#[derive(Clone, Debug)]
struct Strike {
    path: String,
    page: u64,
    fault: Fault,
    times: u64,
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn new() -> FaultPlan {
        FaultPlan::default()
    }

    /// One request in four goes wrong, by any fault, and heals after one to three answers. The same seed is the same plan.
    pub fn seeded(seed: u64) -> FaultPlan {
        FaultPlan {
            seed: Some(seed),
            strikes: Vec::new(),
        }
    }

    /// The `page`-th distinct request (from 1) of this path gets `fault` instead of its first `times` answers.
    pub fn strike(mut self, path: &str, page: u64, fault: Fault, times: u64) -> FaultPlan {
        self.strikes.push(Strike {
            path: path.to_owned(),
            page,
            fault,
            times,
        });
        self
    }

    /// What goes wrong when the `page`-th distinct request of `path` is made for the `attempt`-th time; both from 1.
    pub fn fault(&self, path: &str, page: u64, attempt: u64) -> Option<Fault> {
        let struck = self
            .strikes
            .iter()
            .find(|strike| strike.path == path && strike.page == page && attempt <= strike.times);
        match (struck, self.seed) {
            (Some(strike), _) => Some(strike.fault),
            (None, Some(seed)) => drawn(seed, path, page, attempt),
            (None, None) => None,
        }
    }
}

fn drawn(seed: u64, path: &str, page: u64, attempt: u64) -> Option<Fault> {
    let mut state = path
        .bytes()
        .fold(mix(seed ^ page.rotate_left(17)), |state, byte| {
            mix(state ^ u64::from(byte))
        });
    let mut draw = |below: u64| {
        state = mix(state);
        state % below
    };
    if draw(4) != 0 || attempt > 1 + draw(3) {
        return None;
    }
    let faults = Fault::ALL.len() as u64;
    Fault::ALL.get(draw(faults) as usize).copied()
}

/// SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
