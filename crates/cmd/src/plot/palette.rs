//! The colours of the SVG, on light ground and on dark, as a style sheet.
//!
//! Always true: a class says what a thing is (line, band, grid, label), the
//! theme what colour that has.

use std::fmt::Write;

/// Colours that people with any kind of colour vision tell apart, after Okabe
/// and Ito: on light ground (at least 4.5 to 1 against it) and on dark.
pub(super) const COLOURS: [(&str, &str); 6] = [
    ("#0b6fb8", "#5db2f0"),
    ("#b8480a", "#f28b52"),
    ("#00745a", "#3fc79d"),
    ("#a1478a", "#e59bcb"),
    ("#7d5a00", "#e3b341"),
    ("#5b6472", "#aab4c2"),
];

/// The style sheet: plain classes twice, since not every reader of SVG knows
/// variables. All are below one class, so that a page may take the picture in.
pub(super) fn style(out: &mut String) {
    out.push_str(
        ".pond-chart text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"Noto Sans\",Arial,sans-serif;font-variant-numeric:tabular-nums}
.pond-chart .t{font-size:18px;font-weight:600}
.pond-chart path{fill:none}
.pond-chart [class^=s]{stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}
.pond-chart .d{stroke-dasharray:7 4}
.pond-chart [class^=b]{opacity:.2;stroke:none}
",
    );
    theme(out, &LIGHT);
    out.push_str("@media (prefers-color-scheme:dark){\n");
    theme(out, &DARK);
    out.push_str("}\n");
}

/// The colours of everything but the lines.
struct Theme {
    ground: &'static str,
    ink: &'static str,
    muted: &'static str,
    upright_grid: &'static str,
    level_grid: &'static str,
    zero: &'static str,
    line: fn(&(&'static str, &'static str)) -> &'static str,
}

const LIGHT: Theme = Theme {
    ground: "#ffffff",
    ink: "#1c2430",
    muted: "#5b6675",
    upright_grid: "#f1f3f6",
    level_grid: "#e3e7ec",
    zero: "#aeb7c2",
    line: |(light, _)| light,
};

const DARK: Theme = Theme {
    ground: "#14181f",
    ink: "#e6eaf0",
    muted: "#9aa5b4",
    upright_grid: "#1f252e",
    level_grid: "#2a323d",
    zero: "#566273",
    line: |(_, dark)| dark,
};

fn theme(out: &mut String, theme: &Theme) {
    let Theme { ground, ink, muted, upright_grid, level_grid, zero, line } = theme;
    let _ = write!(
        out,
        ".pond-chart .g{{fill:{ground}}}
.pond-chart .t,.pond-chart .l,.pond-chart .n{{fill:{ink}}}
.pond-chart .m{{fill:{muted}}}
.pond-chart .v{{stroke:{upright_grid}}}
.pond-chart .h{{stroke:{level_grid}}}
.pond-chart .z{{stroke:{zero}}}
"
    );
    for (index, colours) in COLOURS.iter().enumerate() {
        let colour = line(colours);
        let _ = writeln!(
            out,
            ".pond-chart .s{index}{{stroke:{colour}}}.pond-chart .b{index}{{fill:{colour}}}"
        );
    }
}
