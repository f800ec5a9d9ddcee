//! Where the time goes: seconds and calls per operation, counted only between [`start`] and
//! [`stop`].

use candle_core::{Device, Result};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Which pass an operation ran in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// From inputs to outputs.
    Forward,
    /// From gradients of outputs to those of inputs.
    Backward,
}

/// Wall-clock time spent in one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Over all calls.
    pub time: Duration,
    /// Calls.
    pub calls: u32,
}

/// Time by operation and pass.
pub type Profile = BTreeMap<(&'static str, Pass), Spent>;

static COUNTING: AtomicBool = AtomicBool::new(false);
static PROFILE: Mutex<Profile> = Mutex::new(BTreeMap::new());

/// Starts counting from nothing. A process has one count.
pub fn start() {
    PROFILE.lock().unwrap_or_else(|e| e.into_inner()).clear();
    COUNTING.store(true, Ordering::Relaxed);
}

/// While counting, waits for a GPU: its work would else be counted where something waits for it.
pub(super) fn settle(device: &Device) -> Result<()> {
    if COUNTING.load(Ordering::Relaxed) && !device.is_cpu() {
        device.synchronize()
    } else {
        Ok(())
    }
}

/// Stops counting: what was spent since [`start`].
pub fn stop() -> Profile {
    COUNTING.store(false, Ordering::Relaxed);
    std::mem::take(&mut *PROFILE.lock().unwrap_or_else(|e| e.into_inner()))
}

/// Counts from where it is made to where it is dropped. Operations do not contain one another.
pub(super) struct Timed(Option<(&'static str, Pass, Instant)>);

/// Starts the clock of one call.
pub(super) fn timed(name: &'static str, pass: Pass) -> Timed {
    Timed(
        COUNTING
            .load(Ordering::Relaxed)
            .then(|| (name, pass, Instant::now())),
    )
}

impl Drop for Timed {
    fn drop(&mut self) {
        if let Some((name, pass, start)) = self.0 {
            let mut profile = PROFILE.lock().unwrap_or_else(|e| e.into_inner());
            let spent = profile.entry((name, pass)).or_default();
            spent.time += start.elapsed();
            spent.calls += 1;
        }
    }
}
