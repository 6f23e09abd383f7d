//! Certificates and keys that stand in no file.

use std::io;

use opensspi::{Materials, SystemMaterials};

/// The machine's files, and some that are in memory.
pub(crate) struct InMemory {
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) disk: SystemMaterials,
}

impl Materials for InMemory {
    fn read(&self, reference: &str) -> io::Result<Vec<u8>> {
        match self.files.iter().find(|(name, _)| *name == reference) {
            Some((_, content)) => Ok(content.clone().into_bytes()),
            None => self.disk.read(reference),
        }
    }

    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>> {
        self.disk.system_roots()
    }

    fn key_log(&self, reference: &str, line: &str) {
        self.disk.key_log(reference, line);
    }
}
