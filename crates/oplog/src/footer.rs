//! What the footer of a data file says of its rows, group by group and piece by
//! piece, so that a lookup passes by what can not hold what it is after.
//!
//! Always true: what a footer does not say rules nothing out; one that says
//! something impossible is damage.
//!
//! Deliberately not here: reading files, and keeping what was read.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use tinyfs::NodeId;

use crate::columns::{self, at, kind};
use crate::file::HISTORY;
use crate::{Error, Result};

/// What the columns of a file take in memory, beside what its footer says of
/// its row groups.
const SCHEMA_BYTES: usize = 16 << 10;
/// What a footer says of one piece takes in memory, its texts included.
const ABOUT_BYTES: usize = size_of::<About>() + 6 * 36;

/// What a footer says of the rows of a row group, or of a piece of one. What it
/// does not say is `None`, and then they may be about anything.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// Where they are in the row group.
    pub(crate) rows: Range<usize>,
    kinds: Option<(String, String)>,
    nodes: Option<(NodeId, NodeId)>,
    /// A bound, not the very names: long ones are cut.
    names: Option<(String, String)>,
    versions: Option<(i64, i64)>,
    transactions: Option<(i64, i64)>,
    ended_max_us: Option<i64>,
}

impl About {
    pub(crate) fn of_group(group: &RowGroupMetaData) -> Self {
        let statistics = |column: usize| group.columns().get(column)?.statistics();
        let text = |column: usize| {
            let Some(Statistics::ByteArray(range)) = statistics(column) else { return None };
            Some((text(range.min_opt()?.data())?, text(range.max_opt()?.data())?))
        };
        let long = |column: usize| match statistics(column) {
            Some(Statistics::Int64(range)) => {
                range.min_opt().copied().zip(range.max_opt().copied())
            }
            _ => None,
        };
        Self {
            rows: 0..usize::try_from(group.num_rows()).unwrap_or(0),
            kinds: text(at::KIND),
            nodes: text(at::NODE).and_then(nodes),
            names: text(at::NAME),
            versions: long(at::VERSION),
            transactions: long(at::TXN_SEQ),
            ended_max_us: long(at::ENDED).map(|(_, max)| max),
        }
    }

    /// The pieces of a row group: where its columns begin their pages. Without
    /// an index of pages it is one piece.
    pub(crate) fn of_pieces(whole: &Self, group: usize, metadata: &ParquetMetaData) -> Vec<Self> {
        let indexes = metadata.column_index().and_then(|groups| groups.get(group));
        let offsets = metadata.offset_index().and_then(|groups| groups.get(group));
        let (Some(indexes), Some(offsets)) = (indexes, offsets) else {
            return vec![whole.clone()];
        };
        let starts = |column: usize| -> Option<Vec<usize>> {
            let pages = offsets.get(column)?.page_locations();
            pages.iter().map(|page| usize::try_from(page.first_row_index).ok()).collect()
        };
        let Some(firsts) = starts(at::TXN_SEQ) else { return vec![whole.clone()] };
        let ascend = firsts.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascend || firsts.first() != Some(&0) || firsts.last() >= Some(&whole.rows.end) {
            return vec![whole.clone()];
        }
        // A column with other pages says nothing of these pieces.
        let index = |column: usize| {
            let index = indexes.get(column)?;
            // Files may have pages of which nothing more is said.
            if matches!(index, ColumnIndexMetaData::NONE) {
                return None;
            }
            let fits = starts(column).as_ref() == Some(&firsts)
                && index.num_pages() == firsts.len() as u64;
            fits.then_some(index)
        };
        let (kinds, ids, names) = (index(at::KIND), index(at::NODE), index(at::NAME));
        let (versions, transactions) = (index(at::VERSION), index(at::TXN_SEQ));
        let ended = index(at::ENDED);
        let ends = firsts.iter().skip(1).copied().chain([whole.rows.end]);
        firsts
            .iter()
            .zip(ends)
            .enumerate()
            .map(|(page, (first, end))| Self {
                rows: *first..end,
                kinds: texts_of(kinds, page),
                nodes: texts_of(ids, page).and_then(nodes),
                names: texts_of(names, page),
                versions: longs_of(versions, page),
                transactions: longs_of(transactions, page),
                ended_max_us: longs_of(ended, page).map(|(_, max)| max),
            })
            .collect()
    }

    /// Whether rows of this kind may be in it. Without statistics: yes.
    pub(crate) fn may_have(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|(min, max)| min.as_str() <= kind && kind <= max.as_str())
    }

    /// Whether anything but contents may be in it.
    pub(crate) fn may_have_metadata(&self) -> bool {
        self.kinds.as_ref().is_none_or(|(_, max)| max != kind::CONTENT)
    }

    /// Whether rows about this node may be in it.
    pub(crate) fn may_be_about(&self, node: NodeId) -> bool {
        self.nodes.is_none_or(|(min, max)| min <= node && node <= max)
    }

    /// Whether links of this name may be in it.
    pub(crate) fn may_have_name(&self, parent: NodeId, name: &str) -> bool {
        let alone = self.nodes.is_some_and(|(min, max)| min == max);
        self.may_be_about(parent)
            && !(alone
                && self.may_only_have(kind::LINK)
                && self
                    .names
                    .as_ref()
                    .is_some_and(|(min, max)| name < min.as_str() || max.as_str() < name))
    }

    /// Whether all rows in it are of this kind.
    pub(crate) fn may_only_have(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_some_and(|(min, max)| min == kind && max == kind)
    }

    /// Whether rows of these transactions may be in it.
    pub(crate) fn may_be_of(&self, transactions: &RangeInclusive<u64>) -> bool {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.transactions.is_none_or(|(min, max)| {
            min <= number(*transactions.end()) && number(*transactions.start()) <= max
        })
    }

    /// The latest end of its transactions, and whether it has no transactions;
    /// `None` where that is not known.
    pub(crate) const fn ended_max_us(&self) -> Option<i64> {
        self.ended_max_us
    }

    /// The last transaction that rows in it may be of.
    pub(crate) fn last_transaction(&self) -> Option<u64> {
        self.transactions.and_then(|(_, max)| u64::try_from(max).ok())
    }

    pub(crate) fn may_have_content(&self, node: NodeId, version: u64) -> bool {
        let alone = self.nodes.is_some_and(|(min, max)| min == max);
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        self.may_have(kind::CONTENT)
            && self.may_be_about(node)
            && !(alone && self.versions.is_some_and(|(min, max)| version < min || max < version))
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn nodes((min, max): (String, String)) -> Option<(NodeId, NodeId)> {
    Some((min.parse().ok()?, max.parse().ok()?))
}

/// The least and the greatest text of a page.
fn texts_of(index: Option<&ColumnIndexMetaData>, page: usize) -> Option<(String, String)> {
    let Some(ColumnIndexMetaData::BYTE_ARRAY(index)) = index else { return None };
    Some((text(index.min_value(page)?)?, text(index.max_value(page)?)?))
}

/// The least and the greatest number of a page.
fn longs_of(index: Option<&ColumnIndexMetaData>, page: usize) -> Option<(i64, i64)> {
    let Some(ColumnIndexMetaData::INT64(index)) = index else { return None };
    index.min_value(page).copied().zip(index.max_value(page).copied())
}

/// A row group as its footer describes it.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) about: About,
    pub(crate) pieces: Vec<About>,
    /// Whether rows elsewhere in the file supersede all in it.
    pub(crate) history: bool,
    /// What it takes in the file.
    pub(crate) bytes: u64,
}

impl std::ops::Deref for Group {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

impl Group {
    /// Whether rows elsewhere in the file supersede all in it.
    pub(crate) const fn is_history(&self) -> bool {
        self.history
    }

    /// What it consists of, in order.
    pub(crate) fn pieces(&self) -> &[About] {
        &self.pieces
    }
}

/// A footer, read and understood.
#[derive(Debug)]
pub(crate) struct Footer {
    pub(crate) metadata: ArrowReaderMetadata,
    pub(crate) groups: Vec<Group>,
}

impl Footer {
    pub(crate) fn read(file: &str, metadata: Arc<ParquetMetaData>) -> Result<Self> {
        let damaged = |what: String| Error::DamagedFile { file: file.to_owned(), what };
        // The types are Parquet's own.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::try_new(metadata, options)
            .map_err(|error| damaged(error.to_string()))?;
        let columns = metadata.parquet_schema().columns();
        for (at, field) in columns::schema().fields().iter().enumerate() {
            if columns.get(at).is_none_or(|column| column.name() != field.name()) {
                return Err(damaged(format!("it has no column `{}`", field.name())));
            }
        }
        let about = metadata.metadata();
        let history = about
            .file_metadata()
            .key_value_metadata()
            .into_iter()
            .flatten()
            .find(|pair| pair.key == HISTORY)
            .map(|pair| {
                let value = pair.value.as_deref().and_then(|value| value.parse::<usize>().ok());
                value.ok_or_else(|| damaged(format!("its `{HISTORY}` is no number")))
            })
            .transpose()?;
        let groups = about
            .row_groups()
            .iter()
            .enumerate()
            .map(|(number, group)| {
                let whole = About::of_group(group);
                Group {
                    pieces: About::of_pieces(&whole, number, about),
                    about: whole,
                    history: history.is_some_and(|first| number >= first),
                    bytes: u64::try_from(group.compressed_size()).unwrap_or(u64::MAX),
                }
            })
            .collect();
        Ok(Self { metadata, groups })
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let pieces: usize = self.groups.iter().map(|group| 1 + group.pieces.len()).sum();
        SCHEMA_BYTES + self.metadata.metadata().memory_size() + pieces * ABOUT_BYTES
    }

    pub(crate) fn columns(&self, wanted: &[usize]) -> ProjectionMask {
        ProjectionMask::leaves(self.metadata.parquet_schema(), wanted.iter().copied())
    }

    /// Every column but that of contents.
    pub(crate) fn without_content(&self) -> ProjectionMask {
        let columns = 0..self.metadata.parquet_schema().num_columns();
        let wanted = columns.filter(|column| *column != at::CONTENT);
        ProjectionMask::leaves(self.metadata.parquet_schema(), wanted)
    }
}
