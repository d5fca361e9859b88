//! A table in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use pillarbox::Answer;
use pillarbox::table::{Table, TableError, WritableTable};

/// Entries that can be changed.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, String>>);

impl Table for Memory {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        let value = self.0.lock().unwrap().get(key).cloned();
        Box::pin(async move { Ok(value) })
    }

    fn writable(&self) -> Option<&dyn WritableTable> {
        Some(self)
    }
}

impl WritableTable for Memory {
    fn keys(&self) -> Answer<'_, Result<Vec<String>, TableError>> {
        let keys = self.0.lock().unwrap().keys().cloned().collect();
        Box::pin(async move { Ok(keys) })
    }

    fn set<'a>(&'a self, key: &'a str, value: &'a str) -> Answer<'a, Result<(), TableError>> {
        self.0
            .lock()
            .unwrap()
            .insert(key.to_owned(), value.to_owned());
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, Result<bool, TableError>> {
        let removed = self.0.lock().unwrap().remove(key).is_some();
        Box::pin(async move { Ok(removed) })
    }
}
