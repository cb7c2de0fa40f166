//! Line charts as SVG, coloured by the style of the page so that they are readable in light and in dark.

use std::fmt::Write as _;

use super::axis::Axis;
use super::page::escaped;
use super::series::{Point, smoothed, smoothing, thinned};

/// Points that a line is drawn with at most.
const POINTS: usize = 1000;
/// Lines of fewer points show them.
const MARKED: usize = 40;
/// Colours in the style of the page; further lines have them again, dashed.
const COLOURS: usize = 8;

// In pixels of the drawing.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 42.0;

/// Lines over a common axis.
///
/// The y axis is logarithmic when all values are positive and span more than two decades. Points that are not finite are left out.
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    x: String,
    y: String,
    lines: Vec<Line>,
    colours: usize,
}

#[derive(Clone, Debug)]
struct Line {
    name: String,
    points: Vec<Point>,
    colour: usize,
    /// Drawn lightly, behind its trend.
    faint: bool,
}

impl Chart {
    /// A chart without lines, and what its axes show.
    pub fn new(title: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> Self {
        Self { title: title.into(), x: x.into(), y: y.into(), lines: Vec::new(), colours: 0 }
    }

    /// Adds a line through points `[x, y]` in the order of `x`.
    pub fn line(mut self, name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        self.push(name.into(), &finite(points), false);
        self.colours += 1;
        self
    }

    /// Adds a noisy line: a light one, and on it the moving mean over a fiftieth of its points. Short ones are drawn as they are.
    pub fn trend(mut self, name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        let (name, points) = (name.into(), finite(points));
        let width = smoothing(points.len());
        if width == 1 {
            return self.line(name, points);
        }
        let mean = format!("{name}, mean of {width}");
        self.push(name, &points, true);
        self.push(mean, &smoothed(&points, width), false);
        self.colours += 1;
        self
    }

    fn push(&mut self, name: String, points: &[Point], faint: bool) {
        self.lines.push(Line { name, points: thinned(points, POINTS), colour: self.colours, faint });
    }

    /// The chart as a figure of a page.
    pub(super) fn html(&self) -> String {
        let title = escaped(&self.title);
        let drawing = self.svg().unwrap_or_else(|| "<p>nothing to draw</p>".into());
        let legend: String =
            if self.lines.len() > 1 { self.lines.iter().map(Line::key).collect() } else { String::new() };
        format!("<figure class=\"chart\"><figcaption>{title}</figcaption>{drawing}<div>{legend}</div></figure>\n")
    }

    /// The drawing, unless there is no point.
    fn svg(&self) -> Option<String> {
        let values = |i: usize| self.lines.iter().flat_map(move |line| line.points.iter().map(move |point| point[i]));
        let (across, up) = (Axis::tight(values(0))?, Axis::rounded(values(1))?);
        let x = |value| LEFT + (WIDTH - LEFT - RIGHT) * across.place(value);
        let y = |value| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up.place(value);

        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n<g class=\"grid\">",
            escaped(&self.title)
        );
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let rules = across.ticks().map(|(tick, _)| format!("M{0:.1} {TOP}V{bottom}", x(tick)));
        let rules: String =
            rules.chain(up.ticks().map(|(tick, _)| format!("M{LEFT} {:.1}H{right}", y(tick)))).collect();
        put(&mut svg, format_args!("<path d=\"{rules}\"/></g>\n<g class=\"labels\">"));
        for (tick, label) in across.ticks() {
            put(&mut svg, format_args!("<text x=\"{:.1}\" y=\"{}\">{label}</text>", x(tick), bottom + 17.0));
        }
        for (tick, label) in up.ticks() {
            put(
                &mut svg,
                format_args!("<text class=\"y\" x=\"{}\" y=\"{:.1}\">{label}</text>", LEFT - 8.0, y(tick) + 4.0),
            );
        }
        let middle = (LEFT + right) / 2.0;
        put(&mut svg, format_args!("<text x=\"{middle}\" y=\"{}\">{}</text>", HEIGHT - 6.0, escaped(&self.x)));
        put(&mut svg, format_args!("<text class=\"of-y\" x=\"4\" y=\"14\">{}</text></g>\n", escaped(&self.y)));
        for line in &self.lines {
            let places: Vec<[f64; 2]> = line.points.iter().map(|&[a, b]| [x(a), y(b)]).collect();
            let path: Vec<String> = places.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
            put(&mut svg, format_args!("<g class=\"{}\"><polyline points=\"{}\"/>", line.class(), path.join(" ")));
            for [x, y] in places.iter().filter(|_| places.len() < MARKED) {
                put(&mut svg, format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"));
            }
            svg.push_str("</g>\n");
        }
        Some(svg + "</svg>")
    }
}

impl Line {
    /// What the style of the page draws it by.
    fn class(&self) -> String {
        let faint = if self.faint { " faint" } else { "" };
        let dashed = if self.colour / COLOURS % 2 == 1 { " dashed" } else { "" };
        format!("line c{}{faint}{dashed}", self.colour % COLOURS)
    }

    /// The line of the legend.
    fn key(&self) -> String {
        let (class, name) = (self.class(), escaped(&self.name));
        format!("<span class=\"key {class}\">{name}</span> ")
    }
}

fn finite(points: impl IntoIterator<Item = Point>) -> Vec<Point> {
    points.into_iter().filter(|point| point.iter().all(|x| x.is_finite())).collect()
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("a string takes what is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The points of the lines, in pixels.
    fn drawn(html: &str) -> Vec<Vec<[f64; 2]>> {
        let point = |text: &str| {
            let (x, y) = text.split_once(',').unwrap();
            [x, y].map(|number| number.parse().unwrap())
        };
        let lines = html.split("<polyline points=\"").skip(1);
        lines.map(|line| line.split('"').next().unwrap().split(' ').map(point).collect()).collect()
    }

    #[test]
    fn lines_go_from_corner_to_corner() {
        let html = Chart::new("t", "x", "y").line("rising", [[0.0, 0.0], [5.0, 0.5], [10.0, 1.0]]).html();
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        assert_eq!(drawn(&html), [[[LEFT, bottom], [(LEFT + right) / 2.0, (TOP + bottom) / 2.0], [right, TOP]]]);
        assert_eq!(html.matches("<circle").count(), 3);
        assert!(!html.contains("class=\"key"), "one line needs no legend");
    }

    #[test]
    fn long_noisy_lines_are_thinned_and_smoothed() {
        let noise = |i: u32| if i.is_multiple_of(2) { 1.0 } else { 3.0 };
        let html = Chart::new("t", "x", "y").trend("a<b", (0..5000).map(|i| [f64::from(i), noise(i)])).html();
        let lines = drawn(&html);
        assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [POINTS, POINTS]);
        let spread = |line: &[[f64; 2]]| {
            let ys = || line[10..POINTS - 10].iter().map(|point| point[1]);
            ys().fold(f64::MIN, f64::max) - ys().fold(f64::MAX, f64::min)
        };
        assert!(spread(&lines[0]) > 5.0 * spread(&lines[1]));
        assert!(html.contains("a&lt;b, mean of 101") && html.contains("line c0 faint"));
        assert!(html.len() < 40_000, "{}", html.len());
    }

    #[test]
    fn points_that_are_not_finite_are_left_out() {
        let chart = |points: [[f64; 2]; 2]| Chart::new("t", "x", "y").line("l", points).html();
        assert_eq!(drawn(&chart([[0.0, 1.0], [1.0, f64::NAN]]))[0].len(), 1);
        let nothing = chart([[0.0, f64::INFINITY], [f64::NAN, 1.0]]);
        assert!(nothing.contains("nothing to draw") && !nothing.contains("<svg"));
    }

    #[test]
    fn lines_are_told_apart() {
        let chart =
            (0..9).fold(Chart::new("t", "x", "y"), |chart, i| chart.line(format!("m{i}"), [[0.0, f64::from(i)]]));
        let classes: std::collections::BTreeSet<String> = chart.lines.iter().map(Line::class).collect();
        assert_eq!(classes.len(), 9);
        assert_eq!(chart.html().matches("class=\"key").count(), 9);
    }
}
