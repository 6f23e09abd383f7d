//! The outside world, for the packages: files, environment variables, the system's roots and key logs.

use std::collections::HashMap;
use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::providers::Materials;
use crate::references;

/// Files relative to a folder, environment variables, and the trusted roots of the system.
///
/// | reference | what it is |
/// |---|---|
/// | `file:PATH` or `PATH` | the content of the file; a relative path begins at the folder of the configuration |
/// | `env:NAME` | the content of the environment variable |
#[derive(Debug, Default)]
pub struct SystemMaterials {
    base: PathBuf,
    roots: OnceLock<Vec<Vec<u8>>>,
    key_logs: Mutex<HashMap<String, Option<File>>>,
}

impl SystemMaterials {
    /// With relative paths that begin at `base`.
    #[must_use]
    pub fn new(base: &Path) -> Self {
        Self { base: base.to_owned(), ..Self::default() }
    }

    fn path(&self, reference: &str) -> PathBuf {
        self.base.join(reference.strip_prefix("file:").unwrap_or(reference))
    }

    fn open_key_log(&self, reference: &str) -> Option<File> {
        let path = match reference.strip_prefix("env:") {
            // `env:SSLKEYLOGFILE`: the variable names the file, as it does for browsers; unset, nothing is written.
            Some(name) => PathBuf::from(env::var_os(name).filter(|path| !path.is_empty())?),
            None => self.path(reference),
        };
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        match options.open(&path) {
            Ok(file) => {
                tracing::warn!(path = %path.display(), "the secrets of connections are written to a key log");
                Some(file)
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the key log cannot be opened; nothing is written to it");
                None
            }
        }
    }
}

impl Materials for SystemMaterials {
    fn read(&self, reference: &str) -> io::Result<Vec<u8>> {
        references::read(&self.base, reference)
    }

    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>> {
        if let Some(roots) = self.roots.get() {
            return Ok(roots.clone());
        }
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no trusted root was found: {why}")));
        }
        let roots = found.certs.iter().map(|certificate| certificate.to_vec()).collect();
        Ok(self.roots.get_or_init(|| roots).clone())
    }

    /// Appends to a file that only its owner can read, created where it does not exist.
    fn key_log(&self, reference: &str, line: &str) {
        let mut logs = self.key_logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.entry(reference.to_owned()).or_insert_with(|| self.open_key_log(reference));
        // One write a line: several processes may append to the same file.
        if let Some(Err(error)) = log.as_mut().map(|file| file.write_all(line.as_bytes())) {
            tracing::error!(%error, "the key log cannot be written");
            *log = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_are_relative_to_the_folder_of_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), "content").unwrap();
        let materials = SystemMaterials::new(folder.path());
        let absolute = format!("file:{}", folder.path().join("ca.pem").display());
        for reference in ["ca.pem", "file:ca.pem", &absolute] {
            assert_eq!(materials.read(reference).unwrap(), b"content", "{reference}");
        }
        assert_eq!(materials.read("file:missing").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn variables_are_read_and_a_missing_one_is_named() {
        let materials = SystemMaterials::default();
        assert_eq!(materials.read("env:PATH").unwrap(), env::var_os("PATH").unwrap().into_encoded_bytes());
        let error = materials.read("env:OPENSSPI_NOT_SET_ANYWHERE").unwrap_err();
        assert!(error.to_string().contains("OPENSSPI_NOT_SET_ANYWHERE"));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_log_is_appended_to_and_only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.log");
        SystemMaterials::new(folder.path()).key_log("file:keys.log", "one\n");
        SystemMaterials::new(folder.path()).key_log("file:keys.log", "two\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_log_that_cannot_be_written_stops_nothing() {
        SystemMaterials::new(Path::new("/nonexistent")).key_log("file:keys.log", "one\n");
    }
}
