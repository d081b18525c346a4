//! What rows hash to, whatever file they lie in.
//!
//! A row's canonical encoding is its fields in a fixed order, each either
//! `0x00` (absent) or `0x01`, a length of four bytes and the bytes, all
//! little-endian; numbers are eight bytes, ids sixteen, hashes thirty-two.
//! A transaction's rows hash is BLAKE3 over the BLAKE3 hashes of its link and
//! version rows by position; its own hash covers that and the hash of the
//! transaction before, so the chain can be checked from transaction rows
//! alone. `docs/format.md` has the same to the byte.

use tinyfs::{Attributes, ContentHash};
use uuid::Uuid;

use crate::{LinkRow, TransactionRow, VersionRow};

const LINK: &[u8] = b"duckpond 1 link";
const VERSION: &[u8] = b"duckpond 1 version";
const ROWS: &[u8] = b"duckpond 1 rows";
const TRANSACTION: &[u8] = b"duckpond 1 transaction";
const ORIGIN: &[u8] = b"duckpond 1 origin";

/// Fields fed to a hash one after the other.
struct Encoder(blake3::Hasher);

impl Encoder {
    fn new(domain: &[u8]) -> Self {
        let mut encoder = Self(blake3::Hasher::new());
        encoder.bytes(domain);
        encoder
    }

    fn absent(&mut self) -> &mut Self {
        self.0.update(&[0]);
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        // Rows are far below 4 GiB; a longer field would still hash, by its
        // length modulo 2^32 and all of its bytes.
        #[expect(clippy::cast_possible_truncation, reason = "see above")]
        let len = bytes.len() as u32;
        self.0.update(&[1]).update(&len.to_le_bytes()).update(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn time(&mut self, us: i64) -> &mut Self {
        self.bytes(&us.to_le_bytes())
    }

    fn id(&mut self, id: Uuid) -> &mut Self {
        self.bytes(id.as_bytes())
    }

    fn optional<T>(
        &mut self,
        value: Option<T>,
        put: impl FnOnce(&mut Self, T) -> &mut Self,
    ) -> &mut Self {
        match value {
            None => self.absent(),
            Some(value) => put(self, value),
        }
    }

    fn attributes(&mut self, attributes: &Attributes) -> &mut Self {
        self.number(attributes.len() as u64);
        for (key, value) in attributes {
            self.text(key).text(value);
        }
        self
    }

    fn finish(&self) -> ContentHash {
        ContentHash::new(*self.0.finalize().as_bytes())
    }
}

/// The hash of a link row at its position.
pub(crate) fn link_hash(position: u32, row: &LinkRow) -> ContentHash {
    Encoder::new(LINK)
        .number(position.into())
        .id(row.parent.uuid())
        .text(&row.name)
        .optional(row.child, |e, child| e.id(child.uuid()))
        .text(row.entry_type.as_str())
        .finish()
}

/// The hash of a version row at its position.
pub(crate) fn version_hash(position: u32, row: &VersionRow) -> ContentHash {
    Encoder::new(VERSION)
        .number(position.into())
        .id(row.node.uuid())
        .number(row.version)
        .optional(row.covers, |e, covers| e.number(covers.from_version))
        .optional(row.covers, |e, covers| e.number(covers.from_txn))
        .text(row.entry_type.as_str())
        .number(row.size_bytes)
        .optional(row.hash, |e, hash| e.bytes(hash.as_bytes()))
        .text(row.format.as_str())
        .number(u64::from(row.inline))
        .optional(row.rows, Encoder::number)
        .optional(row.time_range, |e, range| e.time(range.min_us))
        .optional(row.time_range, |e, range| e.time(range.max_us))
        .optional(row.time_column.as_deref(), Encoder::text)
        .attributes(&row.attributes)
        .optional(row.factory.as_deref(), Encoder::text)
        .finish()
}

/// The hash of a transaction's rows, given theirs by position.
pub(crate) fn rows_hash(hashes: impl IntoIterator<Item = ContentHash>) -> ContentHash {
    let mut encoder = Encoder::new(ROWS);
    for hash in hashes {
        encoder.bytes(hash.as_bytes());
    }
    encoder.finish()
}

/// The hash of a transaction; its own `hash` field is not looked at.
pub(crate) fn transaction_hash(txn_seq: u64, row: &TransactionRow) -> ContentHash {
    Encoder::new(TRANSACTION)
        .number(txn_seq)
        .id(row.txn_id)
        .text(row.kind.as_str())
        .text(&row.command)
        .text(&row.user)
        .text(&row.host)
        .time(row.started_us)
        .time(row.ended_us)
        .number(row.counts.links)
        .number(row.counts.versions)
        .number(row.counts.content_bytes)
        .bytes(row.rows_hash.as_bytes())
        .bytes(row.previous_hash.as_bytes())
        .finish()
}

/// What the first transaction of a pond has before it.
pub(crate) fn origin_hash(pond_id: Uuid) -> ContentHash {
    Encoder::new(ORIGIN).id(pond_id).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinyfs::{EntryType, NodeId};

    #[test]
    fn absent_child_differs_from_nil_child() {
        let link = |child| LinkRow {
            parent: NodeId::new(Uuid::nil()),
            name: "a".into(),
            child,
            entry_type: EntryType::Data,
        };
        assert_ne!(link_hash(0, &link(None)), link_hash(0, &link(Some(NodeId::new(Uuid::nil())))));
    }

    #[test]
    fn bytes_do_not_move_between_fields() {
        let hash = |parts: &[&str]| {
            let mut encoder = Encoder::new(b"test");
            for part in parts {
                encoder.text(part);
            }
            encoder.finish()
        };
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }
}
