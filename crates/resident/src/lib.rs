//! What this process keeps resident in memory: how much, and less of it.
//!
//! The C library's allocator keeps what was freed, in a heap for each thread
//! up to eight times the processors, and gives a heap back only from its end.
//! A query that sorts on two threads so came to hold three times what it used:
//! 309 MiB for 114. Fewer heaps, and giving back the free pages inside of
//! them now and then, bring it near to what is in use.
//!
//! Always true: nothing here changes what a program computes; where a system
//! has no such thing, nothing happens and no figure is given.
//!
//! Deliberately not here: how much is too much, and what follows then.

#[cfg(target_os = "linux")]
use std::fs::File;

/// The figures that the system keeps of this process.
#[derive(Debug)]
pub struct Resident {
    #[cfg(target_os = "linux")]
    status: File,
}

impl Resident {
    /// `None` where the system does not tell.
    #[must_use]
    pub fn open() -> Option<Self> {
        #[cfg(target_os = "linux")]
        {
            let status = File::open("/proc/self/status").ok()?;
            let resident = Self { status };
            resident.own_bytes().map(|_| resident)
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// What is resident and belongs to this process alone: heap and stacks,
    /// without the pages of the program's own file. `None` when the system no
    /// longer tells.
    #[must_use]
    pub fn own_bytes(&self) -> Option<u64> {
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::FileExt as _;
            let mut text = [0; 4096];
            let length = self.status.read_at(&mut text, 0).ok()?;
            anonymous(&text[..length])
        }
        #[cfg(not(target_os = "linux"))]
        None
    }
}

/// The bytes that `RssAnon: N kB` tells.
#[cfg(any(target_os = "linux", test))]
fn anonymous(status: &[u8]) -> Option<u64> {
    let line =
        status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"RssAnon:"))?;
    let number = std::str::from_utf8(line).ok()?.split_whitespace().next()?;
    number.parse::<u64>().ok()?.checked_mul(1024)
}

/// Lets threads share so many heaps. For the start of a program: heaps that
/// are there stay.
#[cfg_attr(all(target_os = "linux", target_env = "gnu"), expect(unsafe_code, reason = "C"))]
pub fn share_heaps(count: u8) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes two numbers, may be called at any time, and refuses what
    // it does not know.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, count.max(1).into());
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = count;
}

/// Gives the free pages inside of all heaps back to the system.
#[cfg_attr(all(target_os = "linux", target_env = "gnu"), expect(unsafe_code, reason = "C"))]
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes each heap's lock, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figure_is_read_from_its_line() {
        let status = b"Name:\tpond\nVmRSS:\t    100 kB\nRssAnon:\t      12 kB\nRssFile:\t 88 kB\n";
        assert_eq!(anonymous(status), Some(12 * 1024));
        assert_eq!(anonymous(b"Name:\tpond\n"), None);
        assert_eq!(anonymous(b"RssAnon:\t-1 kB\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_is_written_is_counted_and_given_back() {
        const SIZE: u64 = 64 << 20;
        let resident = Resident::open().unwrap();
        let before = resident.own_bytes().unwrap();
        // Small pieces, so that they come from a heap.
        let pieces: Vec<_> = (0..SIZE >> 12).map(|_| vec![1_u8; 4096]).collect();
        let held = resident.own_bytes().unwrap();
        assert!(held >= before + SIZE, "{held} after {before}");
        // The last piece stays, so that the heap can not be cut at its end.
        let last = pieces.into_iter().next_back();
        give_back();
        let after = resident.own_bytes().unwrap();
        assert!(last.is_some() && after < before + SIZE / 2, "{after} after {held}");
    }
}
