//! Plots of a report, as SVG and as PNG: response times of all policies, and for
//! each policy its servers' load over time and a heat map of them.
//!
//! No font of the system is needed: an SVG leaves letters to whoever shows it,
//! and a PNG's are built in (`letters`).

mod charts;
mod letters;

use std::fs;
use std::path::{Path, PathBuf};

use plotters::prelude::{DrawingBackend, IntoDrawingArea as _, SVGBackend};
use plotters_bitmap::BitMapBackend;

use self::letters::Lettered;
use crate::error::SimulationError;
use crate::report::{Outcome, Report};
use crate::scenario::file_title;

/// Width and height of every plot, in pixels.
const SIZE: (u32, u32) = (960, 540);

/// One plot.
#[derive(Clone, Copy)]
enum Plot<'a> {
    /// Response times of all policies.
    Latency(&'a Report),
    /// The servers' load over time.
    Load(&'a Outcome),
    /// Each server's load over time.
    Heat(&'a Outcome),
}

impl Plot<'_> {
    /// Draw it on anything; what is wrong in words.
    fn on<B: DrawingBackend>(self, backend: B) -> Result<(), String> {
        let area = backend.into_drawing_area();
        let drawn = match self {
            Self::Latency(report) => charts::latency(&area, report),
            Self::Load(outcome) => charts::load(&area, outcome),
            Self::Heat(outcome) => charts::heat(&area, outcome),
        };
        drawn
            .and_then(|()| area.present())
            .map_err(|error| error.to_string())
    }
}

/// Draw everything into a folder, which is made if it is not there. Returns the
/// files.
///
/// # Errors
///
/// When a plot cannot be drawn or written.
pub fn draw(report: &Report, folder: &Path) -> Result<Vec<PathBuf>, SimulationError> {
    fs::create_dir_all(folder).map_err(|error| SimulationError::File {
        path: folder.to_owned(),
        error,
    })?;
    let mut files = write(folder, "latency", Plot::Latency(report))?.to_vec();
    for outcome in &report.policies {
        let name = file_title(&outcome.policy);
        files.extend(write(folder, &format!("load-{name}"), Plot::Load(outcome))?);
        files.extend(write(folder, &format!("heat-{name}"), Plot::Heat(outcome))?);
    }
    Ok(files)
}

fn write(folder: &Path, name: &str, plot: Plot<'_>) -> Result<[PathBuf; 2], SimulationError> {
    let files = ["svg", "png"].map(|ending| folder.join(format!("{name}.{ending}")));
    let failed = |path: &Path, reason| SimulationError::Plot {
        path: path.to_owned(),
        reason,
    };
    plot.on(SVGBackend::new(&files[0], SIZE))
        .map_err(|reason| failed(&files[0], reason))?;
    let (width, height) = SIZE;
    let mut pixels = vec![0; (width * height * 3) as usize];
    BitMapBackend::with_buffer_and_format(&mut pixels, SIZE)
        .map_err(|error| error.to_string())
        .and_then(|bitmap| plot.on(Lettered(bitmap)))
        .and_then(|()| save(&files[1], &pixels).map_err(|error| error.to_string()))
        .map_err(|reason| failed(&files[1], reason))?;
    Ok(files)
}

fn save(path: &Path, pixels: &[u8]) -> Result<(), png::EncodingError> {
    let file = std::io::BufWriter::new(fs::File::create(path)?);
    let mut encoder = png::Encoder::new(file, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()
}
