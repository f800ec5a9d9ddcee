//! Progress on standard error, where that is a terminal: what is being done, how far, and how much longer.

use crate::pipelines::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// A bar that follows a pipeline from stage to stage, and times the stages.
pub struct Bar {
    state: RefCell<State>,
}

struct State {
    bar: ProgressBar,
    stage: &'static str,
    since: Instant,
    times: Vec<(&'static str, Duration)>,
}

impl Bar {
    /// A bar that shows nothing yet.
    pub fn new() -> Bar {
        let state = State { bar: ProgressBar::hidden(), stage: "", since: Instant::now(), times: Vec::new() };
        Bar { state: RefCell::new(state) }
    }

    /// Shows where the pipeline is.
    pub fn show(&self, progress: Progress) {
        let mut state = self.state.borrow_mut();
        if state.stage != progress.stage {
            state.close();
            state.stage = progress.stage;
            // Hidden unless standard error is a terminal.
            state.bar = ProgressBar::with_draw_target(Some(progress.total), ProgressDrawTarget::stderr_with_hz(4));
            state.bar.set_style(style());
            state.bar.set_message(progress.stage);
        }
        state.bar.set_length(progress.total);
        state.bar.set_position(progress.done);
    }

    /// Says a line on standard error, above the bar.
    pub fn say(&self, line: &str) {
        self.state.borrow().bar.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away. Seconds spent in each stage, in order.
    pub fn finish(&self) -> Vec<(&'static str, f64)> {
        let mut state = self.state.borrow_mut();
        state.close();
        std::mem::take(&mut state.times).into_iter().map(|(stage, time)| (stage, time.as_secs_f64())).collect()
    }
}

impl State {
    fn close(&mut self) {
        self.bar.finish_and_clear();
        let now = Instant::now();
        if !self.stage.is_empty() {
            self.times.push((self.stage, now - self.since));
        }
        self.stage = "";
        self.since = now;
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg:18} {wide_bar} {human_pos}/{human_len}  {elapsed} elapsed, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
