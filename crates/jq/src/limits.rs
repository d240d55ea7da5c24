//! What one evaluation may use, so that no program can hang or end the process.
//!
//! jaq has no hook for this: programs get a call to [`tick`] wherever they can loop (see `syntax::guard`), and the
//! operators of our own value charge what they build. The counters are per thread because an operator such as `+` is
//! given nothing but its operands; an evaluation runs on one thread from begin to end.

use crate::val::{MAX_DEPTH, Val};
use std::cell::Cell;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// Longest time that one evaluation may take.
pub const MAX_TIME: Duration = Duration::from_millis(800);

/// Most memory that one evaluation may allocate for its values, in bytes, freed again or not.
pub const MAX_MEMORY: usize = 128 << 20;

/// Largest value that an evaluation may build, in bytes of JSON text, about.
const MAX_WEIGHT: u64 = 64 << 20;

/// Longest text that an evaluation may build, in bytes.
const MAX_TEXT: usize = 32 << 20;

/// Most stack that one evaluation may use, in bytes: it must fit what is left of the 2 MiB that threads usually have.
pub(crate) const MAX_STACK: usize = 1 << 20;

/// The clock is read every so many ticks.
const TICKS_PER_LOOK: u32 = 64;

/// So much work inside of a function counts as one tick: bytes that are read or compared, about.
const WORK_PER_TICK: u64 = 512;

/// Which limit an evaluation ran into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    Time,
    /// The time, inside of a regular expression.
    Search,
    /// The length of a regular expression.
    Pattern,
    Memory,
    Recursion,
    Nesting,
}

impl Limit {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Limit::Time => "the expression takes too long: does it loop without end?",
            Limit::Search => "a regular expression takes too long on this text",
            Limit::Pattern => "a regular expression is too long",
            Limit::Memory => "the expression builds too much data",
            Limit::Recursion => "the expression recurses too deeply",
            Limit::Nesting => "the expression nests arrays or objects too deeply",
        }
    }
}

#[derive(Clone, Copy)]
struct State {
    /// Whether an evaluation runs here.
    runs: bool,
    /// Set when the clock is read for the first time: most evaluations are over before that.
    deadline: Option<Instant>,
    ticks: u32,
    memory: usize,
    stack: usize,
    hit: Option<Limit>,
}

const IDLE: State = State {
    runs: false,
    deadline: None,
    ticks: 0,
    memory: usize::MAX,
    stack: 0,
    hit: None,
};

thread_local! {
    static STATE: Cell<State> = const { Cell::new(IDLE) };
}

/// The running evaluation; limits end with it.
pub(crate) struct Evaluation {
    outer: State,
    /// Stays on its thread.
    _thread: PhantomData<*const ()>,
}

impl Evaluation {
    pub(crate) fn begin() -> Self {
        let state = State {
            runs: true,
            deadline: None,
            ticks: TICKS_PER_LOOK,
            memory: MAX_MEMORY,
            stack: stack_pointer(),
            hit: None,
        };
        Self {
            outer: STATE.replace(state),
            _thread: PhantomData,
        }
    }

    /// The limit that was hit, if one was, whatever the program made of the error.
    pub(crate) fn hit(&self) -> Option<Limit> {
        STATE.get().hit
    }

    /// How much memory was accounted for so far.
    #[cfg(test)]
    pub(crate) fn charged(&self) -> usize {
        MAX_MEMORY - STATE.get().memory
    }
}

impl Drop for Evaluation {
    fn drop(&mut self) {
        STATE.set(self.outer);
    }
}

/// One step of a program. An error means that the evaluation must end.
pub(crate) fn tick() -> Result<(), Limit> {
    let mut state = STATE.get();
    if let Some(limit) = state.hit {
        return Err(limit);
    }
    if !state.runs {
        return Ok(());
    }
    if state.stack.abs_diff(stack_pointer()) > MAX_STACK {
        return stop(Limit::Recursion);
    }
    state.ticks -= 1;
    if state.ticks == 0 {
        return look(state, Limit::Time);
    }
    STATE.set(state);
    Ok(())
}

/// Reads the clock.
fn look(mut state: State, limit: Limit) -> Result<(), Limit> {
    state.ticks = TICKS_PER_LOOK;
    let now = Instant::now();
    if now > *state.deadline.get_or_insert(now + MAX_TIME) {
        return stop(limit);
    }
    STATE.set(state);
    Ok(())
}

/// Accounts for what a function does with so many bytes at once: functions that take more time than their input has bytes go
/// through it in such steps. `limit` is what it is called where the time is over.
fn spend(bytes: u64, limit: Limit) -> Result<(), Limit> {
    let mut state = STATE.get();
    if let Some(limit) = state.hit {
        return Err(limit);
    }
    if !state.runs {
        return Ok(());
    }
    let ticks = 1 + bytes / WORK_PER_TICK;
    if ticks >= u64::from(state.ticks) {
        return look(state, limit);
    }
    state.ticks -= ticks as u32;
    STATE.set(state);
    Ok(())
}

/// A step of a function that goes over so many bytes.
pub(crate) fn work(bytes: u64) -> Result<(), Limit> {
    spend(bytes, Limit::Time)
}

/// A step of a search by a regular expression.
pub(crate) fn search(bytes: u64) -> Result<(), Limit> {
    spend(bytes, Limit::Search)
}

/// Accounts for memory that is about to be allocated.
pub(crate) fn charge(bytes: usize) -> Result<(), Limit> {
    let mut state = STATE.get();
    if let Some(limit) = state.hit {
        return Err(limit);
    }
    match state.memory.checked_sub(bytes) {
        Some(left) => {
            state.memory = left;
            STATE.set(state);
            Ok(())
        }
        None => stop(Limit::Memory),
    }
}

/// Accounts for a text that is about to be built.
pub(crate) fn charge_text(bytes: usize) -> Result<(), Limit> {
    if bytes > MAX_TEXT {
        stop(Limit::Memory)
    } else {
        charge(bytes)
    }
}

/// Refuses a value that a program built too deep or too large.
pub(crate) fn fit(value: &Val) -> Result<(), Limit> {
    fit_inside(value, 0)
}

/// Refuses a value that would be too deep or too large inside of so many containers more.
pub(crate) fn fit_inside(value: &Val, more: usize) -> Result<(), Limit> {
    if value.depth() as usize + more > MAX_DEPTH {
        stop(Limit::Nesting)
    } else if value.weight() > MAX_WEIGHT {
        stop(Limit::Memory)
    } else {
        Ok(())
    }
}

/// Looks at the clock before a large value is worked on, which may take long.
pub(crate) fn work_on(value: &Val) -> Result<(), Limit> {
    const LARGE: u64 = 10_000;
    if value.weight() < LARGE {
        return Ok(());
    }
    costly()
}

/// A step that may take long, whatever it works on.
pub(crate) fn costly() -> Result<(), Limit> {
    let mut state = STATE.get();
    state.ticks = 1;
    STATE.set(state);
    tick()
}

/// Ends the evaluation: from here on every step fails, so that a `try` in the program cannot go on.
pub(crate) fn stop(limit: Limit) -> Result<(), Limit> {
    let mut state = STATE.get();
    if state.runs {
        state.hit = state.hit.or(Some(limit));
        STATE.set(state);
    }
    Err(limit)
}

/// About where the stack stands now: the address of a local.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}
