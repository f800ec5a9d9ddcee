//! Progress on standard error, where that is a terminal: what is being done, how far, and how much
//! longer.

use super::stderr::say;
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
        let state = State {
            bar: ProgressBar::hidden(),
            stage: "",
            since: Instant::now(),
            times: Vec::new(),
        };
        Bar {
            state: RefCell::new(state),
        }
    }

    /// Shows how many bytes of a file are done; nothing where standard error is no terminal.
    pub fn show_bytes(&self, stage: &'static str, done: u64, total: Option<u64>) {
        let is_new = self.state.borrow().stage != stage;
        self.show(Progress {
            stage,
            done,
            total: total.unwrap_or(done),
        });
        if is_new {
            self.state.borrow().bar.set_style(byte_style());
        }
    }

    /// A line above the bar, or on standard error where there is none.
    pub fn note(&self, text: &str) {
        let state = self.state.borrow();
        if state.bar.is_hidden() {
            say(text)
        } else {
            state.bar.println(text)
        }
    }

    /// Shows where the pipeline is.
    pub fn show(&self, progress: Progress) {
        let mut state = self.state.borrow_mut();
        if state.stage != progress.stage {
            state.close();
            state.stage = progress.stage;
            // Hidden unless standard error is a terminal.
            state.bar = ProgressBar::with_draw_target(
                Some(progress.total),
                ProgressDrawTarget::stderr_with_hz(4),
            );
            state.bar.set_style(style());
            state.bar.set_message(progress.stage);
        }
        state.bar.set_length(progress.total);
        state.bar.set_position(progress.done);
    }

    /// Takes the bar away. Seconds spent in each stage, in order.
    pub fn finish(&self) -> Vec<(&'static str, f64)> {
        let mut state = self.state.borrow_mut();
        state.close();
        std::mem::take(&mut state.times)
            .into_iter()
            .map(|(stage, time)| (stage, time.as_secs_f64()))
            .collect()
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
    ProgressStyle::with_template(
        "{msg:18} {wide_bar} {human_pos}/{human_len}  {elapsed} elapsed, {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn byte_style() -> ProgressStyle {
    ProgressStyle::with_template(
        "{msg:18} {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}
