//! Traffic on record, and played again without a network.
//!
//! A [`Recorder`] is a [`Transport`](crate::Transport) that lets another one work and writes what passes to a file, the cassette,
//! without the secrets in it. A [`Player`] is a transport that answers from such a file, so that a mapping can be tested where there
//! is neither network nor credential; its [clock](Player::clock) does not wait.
//!
//! A cassette is text, a JSON object in each line: first the format and the time of recording, then one request with its answer, or
//! with the kind of the error, after the other, in the order in which the answers came. Each is on disk before its answer is handed
//! on, so a recording that breaks off is good as far as it goes.
//!
//! # What is not written
//!
//! Headers of requests are not written at all. Elsewhere [`SECRET`] stands in the place of a secret, in its plain, JSON-escaped and
//! percent-encoded forms: what a sensitive header of a request held, the password in Basic credentials (the user name where there is no
//! password to speak of), values under names such as `access_token`, `client_secret` or `password` in queries, forms and JSON bodies both ways (from then on wherever they
//! occur), and what [`Scrub`] is told. Cookies that a server sets are left out. What an API says about its data stays: read a cassette
//! before you publish it.

mod file;
mod player;
mod recorder;
mod scrub;

pub use self::player::Player;
pub use self::recorder::Recorder;
pub use self::scrub::{SECRET, Scrub};
