//! What a file's bytes hash to, and what its beginnings hash to.
//!
//! Always true: one pass, one buffer, however large the file is.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

use tinyfs::ContentHash;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// What a file is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// The hash of all bytes that were asked for.
    pub(super) hash: ContentHash,
    /// Beginnings of the sizes that were asked for.
    pub(super) beginnings: Vec<Beginning>,
}

/// A beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) size_bytes: u64,
    pub(super) hash: ContentHash,
    /// Whether it ends where a line does.
    pub(super) ends_a_line: bool,
}

impl Fingerprint {
    /// Reads the first `size_bytes` of a file, and takes note of its
    /// beginnings of the sizes `at`, as far as they are smaller. Blocks.
    ///
    /// # Errors
    /// The host's, and `UnexpectedEof` for a file that is shorter.
    pub(super) fn read(
        file: &mut (impl Read + Seek),
        size_bytes: u64,
        at: &BTreeSet<u64>,
    ) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let mut hasher = blake3::Hasher::new();
        let mut beginnings = Vec::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut wanted = at.range(1..size_bytes).copied().peekable();
        let (mut done, mut last) = (0_u64, 0_u8);
        while done < size_bytes {
            let most = buffer.len().min(usize::try_from(size_bytes - done).unwrap_or(usize::MAX));
            let count = match file.read(&mut buffer[..most]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let piece = &buffer[..count];
            let mut hashed = 0;
            // A beginning counts when the byte after it is seen.
            while let Some(size_bytes) = wanted.next_if(|at| *at < done + count as u64) {
                let end = usize::try_from(size_bytes - done).unwrap_or(0);
                hasher.update(&piece[hashed..end]);
                hashed = end;
                let before = if end == 0 { last } else { piece[end - 1] };
                beginnings.push(Beginning {
                    size_bytes,
                    hash: ContentHash::new(*hasher.finalize().as_bytes()),
                    ends_a_line: before == b'\n' || matches!(piece[end], b'\n' | b'\r'),
                });
            }
            hasher.update(&piece[hashed..]);
            last = piece[count - 1];
            done += count as u64;
        }
        Ok(Self { hash: ContentHash::new(*hasher.finalize().as_bytes()), beginnings })
    }
}

/// How many of a file's first `size_bytes` are whole lines. Blocks.
///
/// # Errors
/// The host's.
pub(super) fn whole_lines(file: &mut (impl Read + Seek), size_bytes: u64) -> io::Result<u64> {
    let mut end = size_bytes;
    let mut buffer = vec![0; BUFFER_BYTES];
    while end > 0 {
        let start = end.saturating_sub(buffer.len() as u64);
        let piece = &mut buffer[..usize::try_from(end - start).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn beginnings_hash_as_the_bytes_alone_do() {
        let bytes: Vec<u8> = (0..700_000_u32).map(|at| (at % 251) as u8).collect();
        let sizes = [1, 10, 262_143, 262_144, 262_145, 699_999, 700_000, 900_000];
        let at = sizes.into_iter().collect();
        let read = Fingerprint::read(&mut Cursor::new(&bytes), 700_000, &at).unwrap();
        assert_eq!(read.hash, ContentHash::of(&bytes));
        let found: Vec<u64> = read.beginnings.iter().map(|one| one.size_bytes).collect();
        assert_eq!(found, sizes[..6]);
        for one in &read.beginnings {
            let size = usize::try_from(one.size_bytes).unwrap();
            assert_eq!(one.hash, ContentHash::of(&bytes[..size]), "{size}");
        }
        assert!(Fingerprint::read(&mut Cursor::new(&bytes), 700_001, &at).is_err());
    }

    #[test]
    fn a_beginning_says_whether_it_ends_a_line() {
        let at: BTreeSet<u64> = [1, 2, 3, 4].into_iter().collect();
        let read = Fingerprint::read(&mut Cursor::new(b"a\nbc\r\n"), 6, &at).unwrap();
        let ends: Vec<bool> = read.beginnings.iter().map(|one| one.ends_a_line).collect();
        assert_eq!(ends, [true, true, false, true]);
    }

    #[test]
    fn whole_lines_end_with_the_last_line_break() {
        let lines = |text: &[u8]| whole_lines(&mut Cursor::new(text), text.len() as u64).unwrap();
        assert_eq!(lines(b"a\nb\n"), 4);
        assert_eq!(lines(b"a\nb"), 2);
        assert_eq!(lines(b"ab"), 0);
        assert_eq!(lines(b""), 0);
        let mut long = b"x\n".to_vec();
        long.extend(vec![b'y'; 600_000]);
        assert_eq!(lines(&long), 2);
    }
}
