//! The plots of a report.

use std::fs;

use gatewright_simulate::{Policy, draw, simulate};

use crate::support::{scenario, workshop};

#[test]
fn each_plot_is_drawn_as_svg_and_as_png() {
    let scenario = scenario(
        "requests = 2000\narrivals = { poisson = { rate = 1000 } }\n\
         work = { exponential = { mean = \"10ms\" } }\n[[servers]]\nname = \"web\"\ncount = 20\n",
    );
    let policies = ["round-robin", "power-of-two"].map(Policy::named);
    let report = simulate(&scenario, &policies, 1, &workshop(), &mut |_, _| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = draw(&report, folder.path()).unwrap();
    assert_eq!(files.len(), 2 * (1 + 2 * 2));
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".png") {
            let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info();
            let size = reader.unwrap().info().size();
            assert_eq!(size, (960, 540), "{name}");
        } else {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains("</svg>"), "{name}");
            let is_named = name.starts_with("latency") && text.contains("power-of-two");
            assert!(is_named || text.contains("requests on"), "{name}");
        }
    }
}
