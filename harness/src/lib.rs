//! memtwin
