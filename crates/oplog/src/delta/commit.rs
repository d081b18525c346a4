//! One commit file: what it says of itself and of the table.
//!
//! Always true: a commit file that is empty, cut short or changed is found. Its
//! first line carries the BLAKE3 of the whole, and a file without that line is
//! damage too. (An empty commit file reads as a commit without actions
//! elsewhere.)

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{Horizon, another_table, commit_path, configuration, key};
use crate::file::LiveFile;
use crate::own_sum::{self, BLANK};
use crate::{Error, FORMAT_VERSION, Identity, Result, columns};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    pub(super) path: String,
    pub(super) partition_values: HashMap<String, String>,
    pub(super) size: u64,
    pub(super) modification_time: i64,
    pub(super) data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stats: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<HashMap<String, Option<String>>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    pub(super) data_change: bool,
    pub(super) deletion_timestamp: i64,
    pub(super) extended_file_metadata: bool,
    pub(super) partition_values: HashMap<String, String>,
    pub(super) size: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    #[serde(default)]
    pub(super) configuration: HashMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) min_reader_version: u32,
    pub(super) min_writer_version: u32,
}

#[derive(Debug, Deserialize)]
struct CommitInfo {
    pond: Option<Stamp>,
}

/// What our commits say about themselves in their first line.
#[derive(Debug, Deserialize, Serialize)]
struct Stamp {
    /// The transaction's id; absent for commits without rows of their own.
    #[serde(rename = "txnId")]
    txn_id: Option<Uuid>,
    /// The version of the table that it makes, so that a commit in the place of
    /// another is noticed.
    version: u64,
    /// BLAKE3 of the whole file with this value blanked.
    blake3: String,
}

/// How far the pond had got.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Txn {
    pub(super) app_id: Uuid,
}

/// One line of a commit file. Actions of other programs are passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) add: Option<Add>,
    pub(super) remove: Option<Remove>,
    pub(super) meta_data: Option<MetaData>,
    pub(super) protocol: Option<Protocol>,
    commit_info: Option<CommitInfo>,
    #[serde(default, deserialize_with = "ours")]
    pub(super) txn: Option<Txn>,
}

/// A `txn` action of ours; those of other programs are passed over.
fn ours<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Txn>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// What one commit changes.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub(crate) operation: &'static str,
    pub(crate) timestamp_ms: i64,
    pub(crate) txn_id: Option<Uuid>,
    /// The transaction's number, for a commit that has one.
    pub(crate) txn_seq: Option<u64>,
    pub(crate) add: Vec<LiveFile>,
    pub(crate) remove: Vec<LiveFile>,
    pub(crate) horizon: Option<Horizon>,
    /// Whether rows appear or go, rather than move between files.
    pub(crate) data_change: bool,
}

/// The first commit of a table: without rows.
pub(super) fn first(identity: &Identity, horizon: &Horizon) -> String {
    let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
    let lines = [protocol, metadata_line(identity, horizon)];
    commit_bytes(0, "CREATE TABLE", identity.created_us / 1000, None, &lines)
}

/// The lines of the commit file of a version, which must be whole.
pub(super) fn parse(location: &str, version: u64, bytes: &[u8]) -> Result<Vec<Line>> {
    let damaged = |what: &str| Error::DamagedCommit {
        file: commit_path(version).to_string(),
        version,
        what: what.to_owned(),
    };
    if bytes.is_empty() {
        return Err(damaged("it is empty"));
    }
    if let Some(found) = later_format(bytes) {
        return Err(Error::NewerFormat { found, supported: FORMAT_VERSION });
    }
    let lines = serde_json::Deserializer::from_slice(bytes)
        .into_iter::<Line>()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| damaged("it is cut short or not JSON"))?;
    let Some(stamp) = stamp(&lines) else {
        // The table of another program says so of itself.
        let foreign = |line: &Line| {
            let metadata = line.meta_data.as_ref();
            metadata.is_some_and(|data| !data.configuration.contains_key(key::FORMAT))
        };
        if lines.iter().any(foreign) {
            return Err(another_table(location));
        }
        return Err(damaged("its first line is lost, or another program wrote it"));
    };
    let first_line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    if !own_sum::holds(bytes, 0..first_line, &stamp.blake3) {
        return Err(damaged("its lines are not what was written"));
    }
    if stamp.version != version {
        return Err(damaged(&format!("it is commit {}", stamp.version)));
    }
    Ok(lines)
}

/// The stamp, which only the first line has.
fn stamp(lines: &[Line]) -> Option<&Stamp> {
    lines.first()?.commit_info.as_ref()?.pond.as_ref()
}

/// The id of the transaction that a commit of these lines holds.
pub(super) fn txn_id(lines: &[Line]) -> Option<Uuid> {
    stamp(lines)?.txn_id
}

fn schema_json() -> String {
    use arrow::datatypes::DataType;
    let fields: Vec<_> = columns::schema()
        .fields()
        .iter()
        .map(|field| {
            let data_type = match field.data_type() {
                DataType::Int64 => "long",
                DataType::Int32 => "integer",
                DataType::Boolean => "boolean",
                DataType::Binary => "binary",
                DataType::Timestamp(..) => "timestamp",
                _ => "string",
            };
            json!({"name": field.name(), "type": data_type, "nullable": field.is_nullable(), "metadata": {}})
        })
        .collect();
    json!({"type": "struct", "fields": fields}).to_string()
}

fn metadata_line(identity: &Identity, horizon: &Horizon) -> serde_json::Value {
    json!({"metaData": {
        "id": identity.pond_id,
        "name": "pond",
        "description": "The log of a DuckPond; see docs/format.md of the program.",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema_json(),
        "partitionColumns": [],
        "configuration": configuration(identity, horizon),
        "createdTime": identity.created_us / 1000,
    }})
}

/// A commit file of these lines, with a first line that says what it is.
fn commit_bytes(
    version: u64,
    operation: &str,
    timestamp_ms: i64,
    txn_id: Option<Uuid>,
    lines: &[serde_json::Value],
) -> String {
    let stamp = Stamp { txn_id, version, blake3: BLANK.to_owned() };
    let first = json!({"commitInfo": {
        "timestamp": timestamp_ms,
        "operation": operation,
        "operationParameters": {},
        "engineInfo": concat!("duckpond/", env!("CARGO_PKG_VERSION")),
        "pond": stamp,
    }});
    let mut text = format!("{first}\n");
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    let hash = blake3::hash(text.as_bytes()).to_hex();
    // The first line has no other text of sixty-four zeros.
    text.replacen(BLANK, &hash, 1)
}

/// The later format that a commit file declares. This is asked before anything
/// else, because a later program may write its lines in another way.
fn later_format(bytes: &[u8]) -> Option<u32> {
    // Few commits say anything of it, and to parse a line costs more than to
    // look through it.
    let declares = |line: &&[u8]| memchr::memmem::find(line, key::FORMAT.as_bytes()).is_some();
    let found = bytes.split(|byte| *byte == b'\n').filter(declares).find_map(|line| {
        let line: serde_json::Value = serde_json::from_slice(line).ok()?;
        line.get("metaData")?.get("configuration")?.get(key::FORMAT)?.as_str()?.parse().ok()
    })?;
    (found > FORMAT_VERSION).then_some(found)
}

impl Commit {
    pub(super) fn bytes(&self, version: u64, identity: &Identity) -> String {
        let mut lines = Vec::new();
        if let Some(horizon) = &self.horizon {
            lines.push(metadata_line(identity, horizon));
        }
        if let Some(txn_seq) = self.txn_seq {
            lines.push(json!({"txn": {
                "appId": identity.pond_id,
                "version": txn_seq,
                "lastUpdated": self.timestamp_ms,
            }}));
        }
        for file in &self.remove {
            lines.push(json!({"remove": Remove {
                path: file.path.clone(),
                data_change: self.data_change,
                deletion_timestamp: self.timestamp_ms,
                extended_file_metadata: true,
                partition_values: HashMap::new(),
                size: file.size_bytes,
            }}));
        }
        for file in &self.add {
            lines.push(json!({"add": Add {
                path: file.path.clone(),
                partition_values: HashMap::new(),
                size: file.size_bytes,
                modification_time: file.modified_ms,
                data_change: self.data_change,
                stats: Some(json!({"numRecords": file.rows}).to_string()),
                tags: Some(file.tags()),
            }}));
        }
        commit_bytes(version, self.operation, self.timestamp_ms, self.txn_id, &lines)
    }
}
