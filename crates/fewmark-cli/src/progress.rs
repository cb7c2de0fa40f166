//! Progress on standard error, silent when that is no terminal.

use std::ops::ControlFlow;
use std::time::Duration;

use fewmark::Step;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Common;

/// Steps of the bar: the share of the work that is done is shown in thousandths.
const STEPS: u64 = 1000;

/// A progress line for one piece of work.
pub(crate) struct ProgressLine(ProgressBar);

impl ProgressLine {
    /// A line that is drawn on a terminal unless the user wants quiet.
    pub(crate) fn new(common: &Common) -> Self {
        let target = if common.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(STEPS), target);
        if let Ok(style) = ProgressStyle::with_template("{msg:<12} [{bar:30}] {elapsed} (about {eta} left)") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Shows a step of a method.
    pub(crate) fn show(&self, step: &Step) -> ControlFlow<()> {
        self.0.set_message(step.stage);
        if let Some(fraction) = step.fraction {
            self.0.set_position((fraction.clamp(0.0, 1.0) * STEPS as f64) as u64);
        }
        ControlFlow::Continue(())
    }

    /// Shows a step of a training.
    pub(crate) fn show_training(&self, step: &fewmark::learn::Step) {
        self.0.set_message(format!("loss {:.4}", step.loss));
        self.0.set_position((step.iteration as f64 / step.of as f64 * STEPS as f64) as u64);
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
