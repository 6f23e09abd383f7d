//! Secrets that a configuration refers to: a password is in a file or in the environment, never in the configuration.

use std::io;

use zeroize::Zeroizing;

use crate::{Error, Fault, SecStatus};

/// Where the secrets are that a configuration refers to. The crate `opensspi` has one that reads files and the environment.
pub trait Secrets: Send + Sync {
    /// The content behind a reference of the configuration (`file:PATH`, `env:NAME`).
    ///
    /// # Errors
    /// Whatever the source answers.
    fn read(&self, reference: &str) -> io::Result<Zeroizing<Vec<u8>>>;
}

/// No secrets: for packages whose credentials come from the application.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn read(&self, _reference: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "there is no source of secrets"))
    }
}

/// A password that a setting refers to, without the end of its line.
///
/// # Errors
/// `SEC_E_UNKNOWN_CREDENTIALS`, which names the setting: it holds no reference, or what is behind it cannot be read or is no
/// text.
pub fn referred_password(
    secrets: &dyn Secrets,
    setting: &'static str,
    reference: &str,
) -> Result<Zeroizing<String>, Error> {
    let wrong = |message: String| {
        Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, message).with_setting(setting)
    };
    if !["file:", "env:"].iter().any(|prefix| reference.starts_with(prefix)) {
        return Err(wrong(format!(
            "{setting} stands in the configuration itself: write file:PATH or env:NAME"
        )));
    }
    let content = secrets
        .read(reference)
        .map_err(|error| wrong(format!("cannot read {reference}: {error}")).with_source(error))?;
    let text = str::from_utf8(&content).map_err(|_| wrong(format!("{reference} is not UTF-8")))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Text(&'static [u8]);

    impl Secrets for Text {
        fn read(&self, _reference: &str) -> io::Result<Zeroizing<Vec<u8>>> {
            Ok(Zeroizing::new(self.0.to_vec()))
        }
    }

    #[test]
    fn a_password_is_one_line_without_its_end() {
        for (content, password) in
            [(&b"secret"[..], "secret"), (b"secret\n", "secret"), (b" a b \r\n", " a b "), (b"a\n\n", "a\n")]
        {
            assert_eq!(*referred_password(&Text(content), "password", "env:X").unwrap(), password);
        }
    }

    #[test]
    fn what_is_no_reference_or_no_text_is_refused_with_the_setting_and_without_the_secret() {
        for (reference, content) in [("hunter2", &b"x"[..]), ("env:X", b"hunter2\xff")] {
            let error = referred_password(&Text(content), "digest.password", reference).unwrap_err();
            assert_eq!(error.setting(), Some("digest.password"));
            assert_eq!(error.status(), SecStatus::SEC_E_UNKNOWN_CREDENTIALS);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let error = referred_password(&NoSecrets, "password", "env:X").unwrap_err();
        assert!(error.to_string().contains("cannot read env:X"), "{error}");
    }
}
