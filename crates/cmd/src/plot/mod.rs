//! Charts of time series, drawn as text for a terminal or as SVG.
//!
//! Input is a [`Chart`]: series that were reduced beforehand to about as many
//! points as the picture has columns, each with the least, mean and greatest
//! of the readings it stands for. Series of one unit share a panel; each
//! further unit, and each series without one, gets a panel below on the same time
//! axis, so that no picture has two vertical scales on top of each other.
//!
//! Always true: the same chart and options give the same text, byte for byte;
//! what is not a finite number is a gap; a line is never drawn across a gap;
//! ticks on the time axis are civil times of the chart's zone, on both sides of
//! a daylight-saving change; every name is escaped.
//!
//! Deliberately not here: reading data, reducing it, files, terminals, colour
//! detection.

mod chart;
mod measure;
mod palette;
mod panel;
mod svg;
mod terminal;
mod ticks;

pub(crate) use chart::{Chart, Point, Series};
pub(crate) use svg::{SvgOptions, svg};
pub(crate) use terminal::{TerminalOptions, terminal};
