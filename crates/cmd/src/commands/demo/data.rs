//! The readings that are compiled in, so that the demo works anywhere.
//!
//! Where they are from, and under which licence: `data/README.md`.

/// A file that is compiled in.
pub(super) struct Bundled {
    /// Its name in the demo's `data` directory.
    pub(super) name: &'static str,
    /// Its bytes.
    pub(super) bytes: &'static [u8],
}

macro_rules! bundled {
    ($($name:literal = $path:literal,)*) => {
        &[$(Bundled {
            name: $name,
            bytes: include_bytes!(concat!("../../../../../data/", $path)),
        }),*]
    };
}

/// All of them.
pub(super) const FILES: &[Bundled] = bundled! {
    "README.md" = "README.md",
    "noyo-edition-1.csv.zst" = "tides/noyo-harbor-edition-1.csv.zst",
    "noyo-edition-2.csv.zst" = "tides/noyo-harbor-edition-2.csv.zst",
    "noyo-high-low.csv" = "tides/noyo-harbor-high-low.csv",
    "weather.csv.gz" = "schwingbach/weather.csv.gz",
    "soil-moisture.csv.zst" = "schwingbach/soil-moisture.csv.zst",
    "water-flow.csv" = "flow/water-flow.csv",
    "LICENSE-water-flow" = "flow/LICENSE",
    "sites.csv" = "sites.csv",
    "notes.md" = "notes.md",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_plain_file_on_each_side_of_the_limit() {
        let size = |name: &str| FILES.iter().find(|file| file.name == name).unwrap().bytes.len();
        assert!(size("notes.md") < 64 << 10);
        assert!(size("weather.csv.gz") > 64 << 10);
        let all: usize = FILES.iter().map(|file| file.bytes.len()).sum();
        assert!(all < 4 << 20, "{all} bytes are compiled in");
    }
}
