//! Where values lie along an axis, and which of them are written at it.

/// An axis from one value to another, with ticks at nice numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// In order.
    ticks: Vec<f64>,
}

/// Ticks that an axis has about.
const TICKS: f64 = 5.0;

impl Axis {
    /// An axis that begins and ends where the values do.
    pub(super) fn tight(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = range(values)?;
        let mut axis = Self::linear(low, high);
        let within: Vec<f64> = axis.ticks.iter().copied().filter(|tick| (low..=high).contains(tick)).collect();
        if within.len() > 1 {
            (axis.low, axis.high, axis.ticks) = (low, high, within);
        }
        Some(axis)
    }

    /// An axis that begins and ends at ticks; logarithmic for positive values that span more than two decades.
    pub(super) fn rounded(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = range(values)?;
        Some(if low > 0.0 && high > 100.0 * low { Self::logarithmic(low, high) } else { Self::linear(low, high) })
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    fn linear(low: f64, high: f64) -> Self {
        let (low, high) = match low.abs().max(high.abs()) {
            0.0 => (0.0, 1.0),
            // One value lies in the middle; numbers cannot tell much more apart.
            largest if high - low < 1e-9 * largest => (low - 0.1 * largest, high + 0.1 * largest),
            _ => (low, high),
        };
        let step = nice((high - low) / TICKS);
        // Rounding must not open another interval for a bound that is a tick.
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        let ticks: Vec<f64> = (0..=(last - first) as usize).map(|i| multiple(first + i as f64, step)).collect();
        Self { low: ticks[0].min(low), high: ticks[ticks.len() - 1].max(high), logarithmic: false, ticks }
    }

    /// Powers of ten, with 2 and 5 times them where there is room.
    fn logarithmic(low: f64, high: f64) -> Self {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let decades = last - first;
        let all = (first..=last).flat_map(|exponent| [1.0, 2.0, 5.0].map(|digit| (digit, exponent)));
        let all: Vec<(f64, i32)> = all.filter(|&(digit, exponent)| exponent < last || digit == 1.0).collect();
        let value = |&(digit, exponent): &(f64, i32)| power(digit, exponent);
        let begin = all.iter().map(value).rfind(|&tick| tick <= low).unwrap_or(low);
        let end = all.iter().map(value).find(|&tick| tick >= high).unwrap_or(high);
        let stride = (decades + 5) / 6;
        let wanted =
            |&&(digit, exponent): &&(f64, i32)| decades <= 3 || digit == 1.0 && (last - exponent) % stride == 0;
        let ticks = all.iter().filter(wanted).map(value).filter(|tick| (begin..=end).contains(tick)).collect();
        Self { low: begin, high: end, logarithmic: true, ticks }
    }

    /// Where a value lies, 0 at the begin and 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let scale = |x: f64| if self.logarithmic { x.ln() } else { x };
        (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
    }

    /// The ticks and what is written at them.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        self.ticks.iter().map(|&tick| (tick, self.label(tick)))
    }

    /// As many digits as the distance of the ticks needs.
    fn label(&self, tick: f64) -> String {
        let largest = self.low.abs().max(self.high.abs());
        // The end of a logarithmic axis says nothing about its other ticks.
        let (largest, step) = if self.logarithmic { (tick, tick) } else { (largest, self.step()) };
        let (leading, finest) = (exponent(largest), exponent(step));
        if tick == 0.0 {
            "0".into()
        } else if (-4..6).contains(&leading) {
            format!("{tick:.*}", usize::try_from(-finest).unwrap_or(0))
        } else {
            format!("{tick:.*e}", usize::try_from(exponent(tick) - finest).unwrap_or(0))
        }
    }

    fn step(&self) -> f64 {
        self.ticks.windows(2).map(|pair| pair[1] - pair[0]).next().unwrap_or(self.high - self.low)
    }
}

/// The smallest and the largest value.
fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().map(|x| (x, x)).reduce(|(low, high), (x, _)| (low.min(x), high.max(x)))
}

/// The power of ten at or below a number; rounding of a power of ten itself does not change it.
fn exponent(x: f64) -> i32 {
    (x.abs().log10() + 1e-9).floor() as i32
}

/// 1, 2 or 5 times a power of ten, the one nearest to a positive number by ratio.
fn nice(x: f64) -> f64 {
    let exponent = exponent(x);
    let leading = x / power(1.0, exponent);
    let (digit, exponent) = match leading * leading {
        ..2.0 => (1.0, exponent),
        2.0..10.0 => (2.0, exponent),
        10.0..50.0 => (5.0, exponent),
        _ => (1.0, exponent + 1),
    };
    power(digit, exponent)
}

/// A digit times a power of ten, exactly what its decimal notation means.
fn power(digit: f64, exponent: i32) -> f64 {
    if exponent < 0 { digit / 10_f64.powi(-exponent) } else { digit * 10_f64.powi(exponent) }
}

/// A multiple of a step that is a nice number, as the nearest number to its decimal notation.
fn multiple(count: f64, step: f64) -> f64 {
    let inverse = (1.0 / step).round();
    if step < 1.0 { count / inverse } else { count * step }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_nice_numbers() {
        let rounded = |low, high| labels(&Axis::rounded([low, high]).unwrap());
        assert_eq!(rounded(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(rounded(0.13, 0.41), ["0.10", "0.15", "0.20", "0.25", "0.30", "0.35", "0.40", "0.45"]);
        assert_eq!(rounded(-3.0, 7.0), ["-4", "-2", "0", "2", "4", "6", "8"]);
        assert_eq!(rounded(0.0, 2.4e-5), ["0", "5e-6", "1.0e-5", "1.5e-5", "2.0e-5", "2.5e-5"]);
        assert_eq!(rounded(1e7, 2e7), ["1.0e7", "1.2e7", "1.4e7", "1.6e7", "1.8e7", "2.0e7"]);
        assert_eq!(labels(&Axis::tight([1.0, 1010.0]).unwrap()), ["200", "400", "600", "800", "1000"]);
    }

    #[test]
    fn more_than_two_decades_are_logarithmic() {
        assert!(!Axis::rounded([0.01, 1.0]).unwrap().logarithmic);
        assert!(!Axis::rounded([0.0, 1000.0]).unwrap().logarithmic);
        let axis = Axis::rounded([0.003, 0.9]).unwrap();
        assert_eq!(labels(&axis), ["0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]);
        assert!((axis.place((0.002_f64).sqrt()) - 0.5).abs() < 1e-12);
        let wide = Axis::rounded([1e-9, 2e3]).unwrap();
        assert_eq!(labels(&wide), ["1e-8", "1e-5", "0.01", "10"]);
    }

    #[test]
    fn one_value_lies_inside() {
        for value in [0.0, -2.5, 1e-3, 7e8] {
            for axis in [Axis::tight([value]).unwrap(), Axis::rounded([value]).unwrap()] {
                assert!((0.0..=1.0).contains(&axis.place(value)), "{value}: {axis:?}");
                assert!(axis.ticks.len() >= 2, "{axis:?}");
            }
        }
        assert_eq!(Axis::rounded([]), None);
    }

    proptest! {
        #[test]
        fn axes_hold_their_values(a in -1e6_f64..1e6, size in -8_i32..6, share in 0.0_f64..1.0) {
            let b = a + share * 10_f64.powi(size);
            let (low, high) = (a.min(b), a.max(b));
            for axis in [Axis::tight([low, high]).unwrap(), Axis::rounded([low, high]).unwrap()] {
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&axis.place(low)), "{:?}", axis);
                prop_assert!((-1e-9..=1.0 + 1e-9).contains(&axis.place(high)), "{:?}", axis);
                prop_assert!((1..12).contains(&axis.ticks.len()), "{:?}", axis);
                let labels = labels(&axis);
                prop_assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{:?} {:?}", axis, labels);
            }
        }
    }
}
