//! Which names and nodes a data file has rows about: a Bloom filter.
//!
//! It lies in the log's entry for the file, beside and not inside it. So a
//! lookup passes by files that know nothing of what is asked without opening
//! them, and when a file is damaged it can be told which paths are hit and
//! which are not.
//!
//! Always true: what the file has rows about is answered with yes. What it has
//! none about is mostly answered with no.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tinyfs::NodeId;

/// Bits a key sets.
const PROBES: usize = 6;
/// Bits for each key, while there are few keys.
const BITS_PER_KEY: usize = 16;
/// The largest filter: 4 KiB.
const BITS_MAX: usize = 1 << 15;
/// More keys than this would leave a filter that answers mostly with yes.
const KEYS_MAX: usize = BITS_MAX / 4;

/// Something a file may have rows about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u32; PROBES]);

impl Key {
    /// Any name in a directory.
    pub(crate) fn directory(parent: NodeId) -> Self {
        Self::of(b'd', parent, "")
    }

    /// One name in a directory.
    pub(crate) fn name(parent: NodeId, name: &str) -> Self {
        Self::of(b'n', parent, name)
    }

    /// A version of a node.
    pub(crate) fn node(node: NodeId) -> Self {
        Self::of(b'v', node, "")
    }

    fn of(what: u8, node: NodeId, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[what]).update(node.uuid().as_bytes()).update(name.as_bytes());
        let hash = hasher.finalize();
        let mut probes = [0; PROBES];
        for (probe, bytes) in probes.iter_mut().zip(hash.as_bytes().chunks_exact(4)) {
            *probe = bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte));
        }
        Self(probes)
    }

    /// The bits of a filter of `bits`, which is a power of two.
    fn bits(self, bits: usize) -> [usize; PROBES] {
        self.0.map(|probe| probe as usize & (bits - 1))
    }
}

/// The filter of a file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Filter(Arc<[u8]>);

impl Filter {
    /// Whether the file may have rows about this.
    pub(crate) fn may_have(&self, key: Key) -> bool {
        key.bits(self.0.len() * 8).iter().all(|bit| self.0[bit / 8] & (1 << (bit % 8)) != 0)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} bytes)", self.0.len())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadFilter;

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || !pairs.len().is_power_of_two() || pairs.len() > BITS_MAX / 8 {
            return Err(BadFilter);
        }
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(BadFilter);
        let byte = |pair: &[u8; 2]| {
            u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| BadFilter)
        };
        pairs.iter().map(byte).collect::<Result<Arc<[u8]>, _>>().map(Self)
    }
}

/// The keys of a file that is being written.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    keys: HashSet<Key>,
    too_many: bool,
}

impl Keys {
    pub(crate) fn add(&mut self, key: Key) {
        if self.too_many {
            return;
        }
        self.keys.insert(key);
        if self.keys.len() > KEYS_MAX {
            self.keys = HashSet::new();
            self.too_many = true;
        }
    }

    /// The filter; `None` when there are too many keys for one.
    pub(crate) fn filter(&self) -> Option<Filter> {
        if self.too_many {
            return None;
        }
        let bits = (self.keys.len() * BITS_PER_KEY).next_power_of_two().clamp(8, BITS_MAX);
        let mut bytes = vec![0; bits / 8];
        for bit in self.keys.iter().flat_map(|key| key.bits(bits)) {
            bytes[bit / 8] |= 1_u8 << (bit % 8);
        }
        Some(Filter(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn node(number: u128) -> NodeId {
        NodeId::new(Uuid::from_u128(number))
    }

    #[test]
    fn what_is_in_it_is_found_and_little_else_is() {
        for count in [0, 1, 2, 100, 2_000, 8_000] {
            let mut keys = Keys::default();
            (0..count).for_each(|number| keys.add(Key::node(node(number))));
            let filter: Filter = keys.filter().unwrap().to_string().parse().unwrap();
            assert!((0..count).all(|number| filter.may_have(Key::node(node(number)))));
            let wrong = (0..1_000).filter(|n| filter.may_have(Key::node(node(n + 100_000))));
            let limit = if count <= 2_000 { 10 } else { 300 };
            let wrong = wrong.count();
            assert!(wrong <= limit, "{wrong} of 1000 with {count} keys");
        }
    }

    #[test]
    fn names_directories_and_nodes_are_told_apart() {
        let mut keys = Keys::default();
        keys.add(Key::name(node(1), "a"));
        let filter = keys.filter().unwrap();
        assert!(filter.may_have(Key::name(node(1), "a")));
        for other in [Key::name(node(1), "b"), Key::directory(node(1)), Key::node(node(1))] {
            assert!(!filter.may_have(other));
        }
    }

    #[test]
    fn too_many_keys_make_no_filter() {
        let mut keys = Keys::default();
        (0..KEYS_MAX as u128 + 1).for_each(|number| keys.add(Key::node(node(number))));
        assert_eq!(keys.filter(), None);
        assert_eq!("012".parse::<Filter>(), Err(BadFilter));
        assert_eq!("0g".parse::<Filter>(), Err(BadFilter));
        assert_eq!("".parse::<Filter>(), Err(BadFilter));
    }
}
