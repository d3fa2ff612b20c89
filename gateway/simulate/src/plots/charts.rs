//! The three kinds of plots.

use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use crate::report::{Outcome, Report};

/// Colours that people who see some of them alike can tell apart (M. Okabe and
/// K. Ito, 2008).
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Sizes of captions and of all other letters, in pixels.
const CAPTION: i32 = 20;
const LETTERS: i32 = 14;

/// Room for the axes' labels, in pixels.
const BELOW: i32 = 36;
const BESIDE: i32 = 70;

/// Room for half of the last label, in pixels.
const MARGIN: i32 = 36;

/// The rarest response time that is drawn: one in ten thousand.
const RAREST: f64 = 0.9999;

/// Length of the dashes, and of what is between them, in pixels: where there are
/// more curves than colours, the others are dashed.
const DASH: (u32, u32) = (16, 8);

type Area<B> = DrawingArea<B, Shift>;
type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Response times of all policies: how long the fastest so many of a hundred
/// took, both axes drawn so that the rare and the long are seen.
pub(super) fn latency<B: DrawingBackend>(area: &Area<B>, report: &Report) -> Drawn<B> {
    area.fill(&WHITE)?;
    let curves: Vec<Vec<(f64, f64)>> = report.policies.iter().map(curve).collect();
    let times = || curves.iter().flatten().map(|(_, ms)| *ms);
    let shortest = times().fold(f64::INFINITY, f64::min).max(0.001);
    let longest = times().fold(shortest * 2.0, f64::max);
    let caption = format!(
        "{}: response time in ms, by share of requests",
        report.scenario
    );
    let mut chart = framed(area, &caption, BESIDE)
        .build_cartesian_2d(0.0..nines(RAREST), (shortest..longest * 1.1).log_scale())?;
    chart
        .configure_mesh()
        .label_style(("sans-serif", LETTERS))
        .x_labels(9)
        .x_label_formatter(&|nines| share(*nines))
        .y_label_formatter(&|ms| format!("{ms:.1}"))
        .light_line_style(WHITE)
        .draw()?;
    let names = report
        .policies
        .iter()
        .map(|outcome| outcome.policy.as_str());
    draw_curves(&mut chart, names.zip(curves))
}

/// How often a nine stands in a share: 0.9 is 1, 0.99 is 2.
fn nines(share: f64) -> f64 {
    -libm::log10(1.0 - share)
}

/// The share of requests with so many nines.
fn share(nines: f64) -> String {
    let percent = 100.0 * (1.0 - libm::pow(10.0, -nines));
    let digits = if nines > 2.0 { 2 } else { 1 };
    format!("{percent:.digits$} %")
}

fn curve(outcome: &Outcome) -> Vec<(f64, f64)> {
    let points = outcome.distribution.iter();
    let points = points.filter(|(_, quantile)| *quantile <= RAREST);
    points
        .map(|(ms, quantile)| (nines(*quantile), ms.max(0.001)))
        .collect()
}

/// The servers' load over time: in the mean, and of the busiest.
pub(super) fn load<B: DrawingBackend>(area: &Area<B>, outcome: &Outcome) -> Drawn<B> {
    area.fill(&WHITE)?;
    let load = &outcome.load;
    let (from, to) = span(&load.at_s);
    let highest = load.max.iter().copied().fold(1.0, f64::max);
    let caption = format!("{}: requests on a server, over seconds", outcome.policy);
    let mut chart =
        framed(area, &caption, BESIDE).build_cartesian_2d(from..to, 0.0..highest * 1.05)?;
    chart
        .configure_mesh()
        .label_style(("sans-serif", LETTERS))
        .light_line_style(WHITE)
        .draw()?;
    let over_time = |loads: &[f64]| -> Vec<(f64, f64)> {
        let times = load.at_s.iter().copied();
        times.zip(loads.iter().copied()).collect()
    };
    let curves = [
        ("busiest", over_time(&load.max)),
        ("mean", over_time(&load.mean)),
    ];
    draw_curves(&mut chart, curves.into_iter())
}

/// Each server's load over time, the darker the more.
pub(super) fn heat<B: DrawingBackend>(area: &Area<B>, outcome: &Outcome) -> Drawn<B> {
    area.fill(&WHITE)?;
    let (heat, times) = (&outcome.heat, &outcome.load.at_s);
    let (from, to) = span(times);
    let rows = heat.rows.len();
    let values = heat.values.iter().flatten().copied();
    let highest = values.fold(f64::MIN_POSITIVE, f64::max);
    let caption = format!(
        "{}: requests on each server, over seconds (black: {highest:.0})",
        outcome.policy
    );
    let mut chart =
        framed(area, &caption, BESIDE * 2).build_cartesian_2d(from..to, 0.0..rows as f64)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .label_style(("sans-serif", LETTERS))
        .y_labels(rows.min(20))
        .y_label_formatter(&|row| heat.rows.get(*row as usize).cloned().unwrap_or_default())
        .draw()?;
    let step = (to - from) / times.len().max(1) as f64;
    let cells = heat.values.iter().enumerate().flat_map(|(row, values)| {
        values.iter().enumerate().map(move |(column, value)| {
            let (left, bottom) = (from + step * column as f64, row as f64);
            let darkness = libm::sqrt(value / highest);
            let corners = [(left, bottom), (left + step, bottom + 1.0)];
            Rectangle::new(corners, heat_color(darkness).filled())
        })
    });
    chart.draw_series(cells)?;
    Ok(())
}

/// What every chart has around it, with so much room beside the axis.
fn framed<'a, 'b, B: DrawingBackend>(
    area: &'a Area<B>,
    caption: &str,
    beside: i32,
) -> ChartBuilder<'a, 'b, B> {
    let mut chart = ChartBuilder::on(area);
    chart
        .caption(caption, ("sans-serif", CAPTION))
        .margin(12)
        .margin_right(MARGIN)
        .x_label_area_size(BELOW)
        .y_label_area_size(beside);
    chart
}

/// Curves with their names, each told from the others.
fn draw_curves<'a, 'n, B, Y>(
    chart: &mut ChartContext<'a, B, Cartesian2d<RangedCoordf64, Y>>,
    curves: impl Iterator<Item = (&'n str, Vec<(f64, f64)>)>,
) -> Drawn<B>
where
    B: DrawingBackend + 'a,
    Y: Ranged<ValueType = f64>,
{
    let (dash, gap) = DASH;
    for (index, (name, points)) in curves.enumerate() {
        let style = COLORS[index % COLORS.len()].stroke_width(2);
        let ends = |(x, y)| [(x, y), (x + 23, y)];
        if index < COLORS.len() {
            let line = chart.draw_series(LineSeries::new(points, style))?;
            line.label(name)
                .legend(move |at| PathElement::new(ends(at), style));
        } else {
            let line = chart.draw_series(DashedLineSeries::new(points, dash, gap, style))?;
            line.label(name)
                .legend(move |at| DashedPathElement::new(ends(at), dash, gap, style));
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .legend_area_size(30)
        .label_font(("sans-serif", LETTERS))
        .background_style(WHITE.mix(0.8))
        .draw()
}

/// From white over the first of the colours to black.
fn heat_color(darkness: f64) -> RGBColor {
    let RGBColor(red, green, blue) = COLORS[0];
    let between = |middle: u8| {
        let middle = f64::from(middle);
        let value = match darkness < 0.5 {
            true => 255.0 + (middle - 255.0) * darkness * 2.0,
            false => middle * (1.0 - darkness) * 2.0,
        };
        value as u8
    };
    RGBColor(between(red), between(green), between(blue))
}

fn span(times: &[f64]) -> (f64, f64) {
    let from = times.first().copied().unwrap_or(0.0);
    let to = times.last().copied().unwrap_or(1.0);
    (from, to.max(from + 0.001))
}
