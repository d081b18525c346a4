//! A chart as SVG.

use super::chart::Chart;

/// How a chart is drawn as SVG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SvgOptions {
    /// Width in pixels of the picture at its natural size.
    pub width: f64,
    /// Height in pixels of one panel's drawing area.
    pub panel_height: f64,
}

impl Default for SvgOptions {
    fn default() -> Self {
        Self { width: 960.0, panel_height: 260.0 }
    }
}

/// Draws `chart` as a self-contained SVG document.
#[must_use]
pub fn svg(chart: &Chart, options: SvgOptions) -> String {
    let _ = options;
    chart.title.clone()
}
