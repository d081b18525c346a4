//! tinyfs on the oplog: snapshots, transactions, tables and series.
