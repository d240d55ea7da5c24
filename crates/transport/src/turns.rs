//! Who may send next: permits, shared out so that those who ask for much leave room for those who ask for little.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Permits for requests under way. One that gets free goes to the lane that holds the fewest, and in a lane to whoever came first.
///
/// A line for all would serve each by how many it has standing there: a resource with hundreds of children would let another one, whose
/// pages can only be asked for one after the other, wait behind its crowd for every page.
pub(crate) struct Turns(Mutex<State>);

struct State {
    free: usize,
    /// How many permits were given out so far.
    given: u64,
    /// Those who hold a permit or wait for one.
    lanes: HashMap<String, Lane>,
}

#[derive(Default)]
struct Lane {
    held: usize,
    /// The number of the permit that it was given last.
    last: u64,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A permit. It is given back when it is dropped.
pub(crate) struct Turn {
    /// `None` once somebody else takes care of it.
    of: Option<(Arc<Turns>, String)>,
}

impl Turns {
    pub(crate) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Turns(Mutex::new(State {
            free: permits.max(1),
            given: 0,
            lanes: HashMap::new(),
        })))
    }

    /// Waits for a permit. Dropping the future leaves the line.
    pub(crate) async fn next(self: &Arc<Self>, lane: &str) -> Turn {
        loop {
            let receiver = {
                let mut state = self.lock();
                // Where one is free, nobody waits.
                if state.free > 0 {
                    state.give(lane);
                    return self.turn(lane);
                }
                let (sender, receiver) = oneshot::channel();
                let lane = state.lanes.entry(lane.to_owned()).or_default();
                lane.waiting.push_back(sender);
                receiver
            };
            if let Ok(turn) = receiver.await {
                return turn;
            }
        }
    }

    fn turn(self: &Arc<Self>, lane: &str) -> Turn {
        Turn {
            of: Some((self.clone(), lane.to_owned())),
        }
    }

    /// Takes a permit back and gives out what is free.
    fn give_back(self: &Arc<Self>, lane: &str) {
        let mut state = self.lock();
        state.take_back(lane);
        while state.free > 0
            && let Some((lane, waiting)) = state.next_in_line()
        {
            state.give(&lane);
            if let Err(mut turn) = waiting.send(self.turn(&lane)) {
                // Left the line just now.
                turn.of = None;
                state.take_back(&lane);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give(&mut self, lane: &str) {
        self.free -= 1;
        self.given += 1;
        let lane = self.lanes.entry(lane.to_owned()).or_default();
        lane.held += 1;
        lane.last = self.given;
    }

    fn take_back(&mut self, lane: &str) {
        self.free += 1;
        if let Some(known) = self.lanes.get_mut(lane) {
            known.held -= 1;
            if known.held == 0 && known.waiting.is_empty() {
                self.lanes.remove(lane);
            }
        }
    }

    fn next_in_line(&mut self) -> Option<(String, oneshot::Sender<Turn>)> {
        loop {
            let waiting = self
                .lanes
                .iter_mut()
                .filter(|(_, lane)| !lane.waiting.is_empty());
            let (name, lane) = waiting.min_by_key(|(_, lane)| (lane.held, lane.last))?;
            let name = name.clone();
            while let Some(sender) = lane.waiting.pop_front() {
                if !sender.is_closed() {
                    return Some((name, sender));
                }
            }
            if lane.held == 0 {
                self.lanes.remove(&name);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((turns, lane)) = self.of.take() {
            turns.give_back(&lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    fn held(turns: &Turns) -> BTreeMap<String, usize> {
        let state = turns.lock();
        let lanes = state.lanes.iter();
        lanes
            .map(|(name, lane)| (name.clone(), lane.held))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_that_gets_free_goes_to_whoever_holds_the_fewest() {
        let turns = Turns::new(4);
        let mut work = tokio::task::JoinSet::new();
        for (lane, count) in [("crowd", 40), ("few", 4), ("one", 1)] {
            for _ in 0..count {
                let turns = turns.clone();
                work.spawn(async move {
                    let _turn = turns.next(lane).await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    (lane, tokio::time::Instant::now())
                });
            }
        }
        let start = tokio::time::Instant::now();
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        while let Some(done) = work.join_next().await {
            let (lane, at) = done.unwrap();
            last.insert(lane, (at - start).as_secs());
        }
        // Four of the crowd were there first. Then one permit for the one, and the others shared.
        assert_eq!(last["one"], 2);
        assert_eq!(last["few"], 3, "{last:?}");
        assert_eq!(last["crowd"], 12, "no permit is idle: {last:?}");
        assert_eq!(held(&turns), BTreeMap::new());
        assert_eq!(turns.lock().free, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_the_line_takes_no_permit_along() {
        let turns = Turns::new(1);
        let first = turns.next("a").await;
        let mut gone = Box::pin(turns.next("a"));
        let mut given_up = Box::pin(turns.next("b"));
        let mut stays = Box::pin(turns.next("b"));
        for waiting in [&mut gone, &mut given_up, &mut stays] {
            assert!(waiting.now_or_never().is_none());
        }
        drop(gone);
        drop(first);
        // Given to it, but it never looks.
        drop(given_up);
        let last = stays.now_or_never().unwrap();
        assert_eq!(turns.lock().free, 0);
        drop(last);
        assert_eq!(turns.lock().free, 1);
        assert_eq!(held(&turns), BTreeMap::new());
    }
}
