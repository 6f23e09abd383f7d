//! What a configuration refers to: files and environment variables. And what the machine is called.

use std::io;
use std::path::Path;
#[cfg(any(feature = "digest", feature = "ntlm"))]
use std::sync::Arc;
use std::{env, fs};

#[cfg(any(feature = "digest", feature = "ntlm"))]
use zeroize::Zeroizing;

#[cfg(all(any(feature = "digest", feature = "ntlm"), feature = "schannel"))]
use crate::providers::Materials;
#[cfg(any(feature = "digest", feature = "ntlm"))]
use crate::providers::Secrets;

/// The content behind a reference; relative paths begin at `base`.
pub(crate) fn read(base: &Path, reference: &str) -> io::Result<Vec<u8>> {
    if let Some(name) = reference.strip_prefix("env:") {
        return match env::var_os(name) {
            Some(value) => Ok(value.into_encoded_bytes()),
            None => {
                let message = format!("the environment variable {name} is not set");
                Err(io::Error::new(io::ErrorKind::NotFound, message))
            }
        };
    }
    fs::read(base.join(reference.strip_prefix("file:").unwrap_or(reference)))
}

/// Secrets, from where the other packages have their materials.
#[cfg(all(any(feature = "digest", feature = "ntlm"), feature = "schannel"))]
pub(crate) fn secrets(materials: Arc<dyn Materials>, _base: &Path) -> Arc<dyn Secrets> {
    struct Of(Arc<dyn Materials>);
    impl Secrets for Of {
        fn read(&self, reference: &str) -> io::Result<Zeroizing<Vec<u8>>> {
            self.0.read(reference).map(Zeroizing::new)
        }
    }
    Arc::new(Of(materials))
}

/// Secrets in files and variables.
#[cfg(all(any(feature = "digest", feature = "ntlm"), not(feature = "schannel")))]
pub(crate) fn secrets(base: &Path) -> Arc<dyn Secrets> {
    struct Of(std::path::PathBuf);
    impl Secrets for Of {
        fn read(&self, reference: &str) -> io::Result<Zeroizing<Vec<u8>>> {
            read(&self.0, reference).map(Zeroizing::new)
        }
    }
    Arc::new(Of(base.to_owned()))
}

/// What the machine is called, as far as it says.
#[cfg(any(feature = "digest", feature = "ntlm"))]
pub(crate) fn host_name() -> Option<String> {
    let of_kernel = || fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let variables = || ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| env::var(name).ok());
    let name = of_kernel().or_else(variables)?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty() && name.is_ascii())
}
