//! The life of one pond: open, lock, transactions, recovery, maintenance.
