//! A log in a temporary directory, and short ways to change it.

use std::path::PathBuf;
use std::sync::Arc;

use oplog::{
    Changes, Committed, Identity, LinkRow, Location, Log, LogOptions, MemoryContents,
    TransactionMeta, TxnKind, VersionRow,
};
use tinyfs::{Attributes, ContentHash, EntryType, Format, IdSource, NodeId, SequentialIds};
use uuid::Uuid;

pub(crate) const START_US: i64 = 1_700_000_000_000_000;

pub(crate) struct Pond {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) log: Log,
    pub(crate) ids: SequentialIds,
    pub(crate) root: NodeId,
}

pub(crate) fn identity(id: Uuid) -> Identity {
    Identity {
        pond_id: id,
        birthplace: "test".into(),
        created_us: START_US,
        format_version: oplog::FORMAT_VERSION,
    }
}

pub(crate) fn link(parent: NodeId, name: &str, child: Option<NodeId>) -> LinkRow {
    LinkRow { parent, name: name.into(), child, entry_type: EntryType::Data }
}

pub(crate) fn inline(node: NodeId, version: u64, hash: ContentHash, size: u64) -> VersionRow {
    VersionRow {
        version,
        size_bytes: size,
        hash: Some(hash),
        format: Format::Bytes,
        inline: true,
        ..VersionRow::of_node(node, EntryType::Data, Attributes::new(), None)
    }
}

impl Pond {
    pub(crate) async fn create() -> Self {
        Self::create_with(LogOptions::default()).await
    }

    pub(crate) async fn create_with(options: LogOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ids = SequentialIds::default();
        let id = ids.next_id();
        let location = Location::Local(dir.path().join("data"));
        let log = Log::create(&location, &identity(id), options).await.unwrap();
        Self { dir, log, ids, root: NodeId::new(id) }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn location(&self) -> Location {
        Location::Local(self.data())
    }

    pub(crate) async fn reopen(&mut self) {
        self.log = Log::open(&self.location(), LogOptions::default()).await.unwrap();
    }

    pub(crate) fn node(&self) -> NodeId {
        NodeId::new(self.ids.next_id())
    }

    pub(crate) fn transaction(&self) -> TransactionMeta {
        let txn_seq = i64::try_from(self.log.head().txn_seq).unwrap() + 1;
        TransactionMeta {
            txn_id: self.ids.next_id(),
            kind: TxnKind::User,
            command: format!("test {txn_seq}"),
            user: "someone".into(),
            host: "somewhere".into(),
            started_us: START_US + txn_seq * 1_000_000 - 500_000,
            ended_us: START_US + txn_seq * 1_000_000,
        }
    }

    pub(crate) async fn commit(
        &mut self,
        links: Vec<LinkRow>,
        versions: Vec<VersionRow>,
        contents: MemoryContents,
    ) -> Committed {
        let changes = Changes {
            links,
            versions,
            contents: Arc::new(contents),
            transaction: self.transaction(),
        };
        self.log.commit(&changes).await.into_result().unwrap()
    }

    /// A new file in the root with one inline version.
    pub(crate) async fn add_file(&mut self, name: &str, bytes: &[u8]) -> NodeId {
        let node = self.node();
        let mut contents = MemoryContents::default();
        let hash = contents.add(bytes.to_vec());
        let root = self.root;
        self.commit(
            vec![link(root, name, Some(node))],
            vec![
                VersionRow::of_node(node, EntryType::Data, Attributes::new(), None),
                inline(node, 1, hash, bytes.len() as u64),
            ],
            contents,
        )
        .await;
        node
    }

    /// One more inline version of a file.
    pub(crate) async fn add_version(&mut self, node: NodeId, version: u64, bytes: &[u8]) {
        let mut contents = MemoryContents::default();
        let hash = contents.add(bytes.to_vec());
        self.commit(vec![], vec![inline(node, version, hash, bytes.len() as u64)], contents).await;
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        let links = self.log.snapshot().links(self.root).await.unwrap();
        links.into_iter().map(|link| link.row.name).collect()
    }
}
