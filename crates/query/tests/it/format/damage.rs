//! Compressed, cut off and hostile files.

use std::io::Write as _;

use query::format::{HostSource, SourceUrl, open};

use super::{Sample, block_on, cells, chain, options};

const TEXT: &str = "a,b\n1,x\n2,y\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Encoder = fn(&[u8]) -> Vec<u8>;

const ENCODERS: [(&str, Encoder); 3] = [("gz", gzip), ("zst", zstd), ("bz2", bzip2)];

#[test]
fn every_compression_is_read_also_in_several_frames() {
    for (extension, encode) in ENCODERS {
        let mut bytes = encode(&TEXT.as_bytes()[..7]);
        bytes.extend(encode(&TEXT.as_bytes()[7..]));
        let sample = Sample::new(&format!("x.csv.{extension}"), bytes);
        let (batch, _) = sample.read(&options(|_| {})).unwrap();
        assert_eq!(cells(&batch), [["1", "x"], ["2", "y"]], "{extension}");
    }
}

#[test]
fn data_cut_off_at_any_byte_is_an_error_that_names_the_place() {
    for (extension, encode) in ENCODERS {
        let whole = encode(TEXT.repeat(50).as_bytes());
        for len in 0..whole.len() {
            let sample = Sample::new(&format!("x.csv.{extension}"), &whole[..len]);
            let error = sample.refused(&options(|_| {}));
            assert!(
                error.contains(&format!("`x.csv.{extension}`"))
                    && error.contains(&format!("at byte {len}")),
                "{extension} cut at {len}: {error}"
            );
        }
    }
}

#[test]
fn a_wrong_compression_is_named() {
    let error = Sample::new("x.csv.gz", TEXT).refused(&options(|_| {}));
    assert!(error.contains("is not gzip data"), "{error}");
    let error = Sample::new("x.csv.zst", TEXT).refused(&options(|_| {}));
    assert!(error.contains("is not zstd data"), "{error}");
    let error = Sample::new("x.csv.bz2", TEXT).refused(&options(|_| {}));
    assert!(error.contains("is not bzip2 data"), "{error}");
    let mut bytes = gzip(TEXT.as_bytes());
    bytes.extend(b"garbage behind the last member");
    let error = Sample::new("x.csv.gz", bytes).refused(&options(|_| {}));
    assert!(error.contains("is not gzip data"), "{error}");
}

#[test]
fn what_is_no_file_is_refused_by_name() {
    let sample = Sample::new("x.csv", TEXT);
    let missing = sample.named("csv", ".not").clone();
    let error = chain(&block_on(open(missing, options(|_| {}))).unwrap_err());
    assert!(error.contains("cannot open `x.csv.not`"), "{error}");
    let url = SourceUrl::parse("csv:.").unwrap();
    let dir = HostSource::new(url).with_base(sample.dir());
    let error = chain(&block_on(open(dir, options(|_| {}))).unwrap_err());
    assert!(error.contains("`.` is a directory"), "{error}");
}

#[test]
#[cfg(unix)]
fn a_pipe_is_kept_while_it_is_read_and_then_gone() {
    let sample = Sample::new("x", "");
    let pipe = sample.dir().join("pipe.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, TEXT).unwrap()
    });
    let source = HostSource::new(SourceUrl::parse("csv:pipe.csv").unwrap())
        .with_base(sample.dir())
        .with_temp_dir(sample.dir());
    let opened = block_on(open(source, options(|_| {}))).unwrap();
    writer.join().unwrap();
    assert_eq!(cells(&super::rows(&opened, None).unwrap()).len(), 2);
    assert_eq!(cells(&super::rows(&opened, None).unwrap()).len(), 2);
    drop(opened);
    assert_eq!(std::fs::read_dir(sample.dir()).unwrap().count(), 2, "x and the pipe");
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let texts: [&[u8]; 8] =
        [b"\xef\xbb\xbf", b"\"", b"\"\"\"", b",\n,,", b"\r\r\r", b"\0\0\n\0", b"[", b"{\"a\""];
    for text in texts {
        for name in ["x.csv", "x.json", "x.ndjson", "x.parquet", "x.csv.gz"] {
            // Whether such a file is refused depends on the format.
            let _ = Sample::new(name, text).read(&options(|_| {}));
        }
    }
}

#[test]
fn declarations_without_effect_are_refused() {
    let error =
        Sample::new("x.ndjson", "{}\n").refused(&options(|options| options.no_header = true));
    assert_eq!(error, "--no-header has no effect on the format ndjson");
    let wanted = options(|options| {
        options.time_column = Some("a".into());
        options.time_format = Some("epoch".into());
    });
    let error = Sample::new("x.parquet", "").refused(&wanted);
    assert_eq!(error, "--time-format has no effect on the format parquet");
}
