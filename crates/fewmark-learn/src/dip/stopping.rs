//! When a Deep Image Prior has said the object and begins to say the noise.

use std::collections::VecDeque;

/// Early stopping by the variance of the last outputs (Wang et al., "Early stopping for deep image prior", 2023): while the
/// object takes shape the outputs move, then they rest, then the noise moves them again.
#[derive(Debug)]
pub(super) struct WindowedVariance {
    window: usize,
    patience: u64,
    outputs: VecDeque<Vec<f32>>,
    sum: Vec<f64>,
    squares: f64,
    least: f64,
    since: u64,
}

impl WindowedVariance {
    /// A rule that looks at `window` outputs and waits `patience` of them for a new minimum.
    pub(super) fn new(window: usize, patience: u64) -> Self {
        Self {
            window,
            patience,
            outputs: VecDeque::new(),
            sum: Vec::new(),
            squares: 0.0,
            least: f64::INFINITY,
            since: 0,
        }
    }

    /// Takes the next output; whether the variance of the window is the least so far.
    pub(super) fn push(&mut self, output: Vec<f32>) -> bool {
        self.sum.resize(output.len(), 0.0);
        self.squares += squares(&output);
        self.sum.iter_mut().zip(&output).for_each(|(sum, &u)| *sum += f64::from(u));
        self.outputs.push_back(output);
        if self.outputs.len() > self.window
            && let Some(oldest) = self.outputs.pop_front()
        {
            self.squares -= squares(&oldest);
            self.sum.iter_mut().zip(&oldest).for_each(|(sum, &u)| *sum -= f64::from(u));
        }
        if self.outputs.len() < self.window {
            return false;
        }
        let n = self.window as f64;
        let means: f64 = self.sum.iter().map(|sum| (sum / n).powi(2)).sum();
        let variance = (self.squares / n - means) / self.sum.len() as f64;
        let is_least = variance < self.least;
        if is_least {
            (self.least, self.since) = (variance, 0);
        } else {
            self.since += 1;
        }
        is_least
    }

    /// Whether the least variance is long enough ago.
    pub(super) fn is_over(&self) -> bool {
        self.since >= self.patience
    }
}

fn squares(output: &[f32]) -> f64 {
    output.iter().map(|&u| f64::from(u).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_ends_after_the_outputs_have_rested() {
        let mut rule = WindowedVariance::new(4, 10);
        // Comes to rest at 20, and moves again from 40 on.
        let output = |t: u32| vec![(20_u32.saturating_sub(t).pow(2) + t.saturating_sub(40).pow(2)) as f32, 1.0];
        let mut least = 0;
        let mut over = None;
        for t in 0..100 {
            if rule.push(output(t)) {
                least = t;
            }
            if rule.is_over() {
                over = Some(t);
                break;
            }
        }
        assert_eq!((least, over), (23, Some(33)));
    }
}
