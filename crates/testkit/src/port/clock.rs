//! The double's own clock and its way of writing times.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::time::Instant;

/// Wall time that begins where a test says and goes with tokio's time, which a test may pause.
#[derive(Debug)]
pub(super) struct PortClock {
    set_to: SystemTime,
    since: Instant,
}

impl Default for PortClock {
    fn default() -> PortClock {
        let new_year_2026 = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        PortClock {
            set_to: new_year_2026,
            since: Instant::now(),
        }
    }
}

impl PortClock {
    pub(super) fn now(&self) -> SystemTime {
        self.set_to + self.since.elapsed()
    }

    pub(super) fn set(&mut self, now: SystemTime) {
        *self = PortClock {
            set_to: now,
            since: Instant::now(),
        };
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.set_to += by;
    }
}

/// As Port writes times: `2026-01-01T00:00:00.000Z`.
pub(super) fn format(time: SystemTime) -> String {
    match Timestamp::try_from(time) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => String::new(),
    }
}

pub(super) fn parse(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}
