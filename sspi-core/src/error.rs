//! Errors: a status, whose fault it is, a sentence, and the setting that would change the outcome.

use core::fmt;
use std::borrow::Cow;
use std::sync::Arc;

use crate::SecStatus;

/// Whose fault an error is. The status and the alert follow from the error; this says where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Bytes that cannot be read as what they should be.
    Decode,
    /// The peer broke its protocol.
    PeerMisbehaved,
    /// The peer speaks correctly, and the two ends have nothing in common.
    PeerIncompatible,
    /// The peer reported an error (an alert, an error message).
    PeerReported,
    /// Policy or verification refused the peer: an untrusted certificate, a wrong name, a weak parameter.
    Refused,
    /// The application called something that it may not call, or not now.
    ApiMisuse,
    /// Configuration or credentials cannot be used.
    Configuration,
    /// Nobody's fault but ours.
    Internal,
}

/// A setting with a value of it that would change the outcome: what a person can paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The setting, as it is written in a configuration file.
    pub setting: Cow<'static, str>,
    /// The value that must be in it, or the values with commas between them.
    pub value: Cow<'static, str>,
}

/// An error of a security package: what SSPI calls a failed `SECURITY_STATUS`, with what a person needs to act on it.
///
/// Cloning is cheap: a failed context repeats the same error for every later call.
#[derive(Clone)]
pub struct Error(Arc<Body>);

#[derive(Clone)]
struct Body {
    status: SecStatus,
    fault: Fault,
    message: Cow<'static, str>,
    setting: Option<Cow<'static, str>>,
    alert: Option<u8>,
    fallback: bool,
    remedies: Vec<Remedy>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with this status, fault and sentence. The sentence begins in lower case and has no full stop.
    #[must_use]
    pub fn new(status: SecStatus, fault: Fault, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Body {
            status,
            fault,
            message: message.into(),
            setting: None,
            alert: None,
            fallback: false,
            remedies: Vec::new(),
            source: None,
        }))
    }

    /// `SEC_E_UNSUPPORTED_FUNCTION`: `package` does not offer `function`.
    #[must_use]
    pub fn unsupported(package: &str, function: &str) -> Self {
        Self::new(
            SecStatus::SEC_E_UNSUPPORTED_FUNCTION,
            Fault::ApiMisuse,
            format!("the package {package} does not offer {function}"),
        )
    }

    /// `SEC_E_INVALID_HANDLE`: the handshake or context is over.
    #[must_use]
    pub fn invalid_handle(what: &'static str) -> Self {
        Self::new(SecStatus::SEC_E_INVALID_HANDLE, Fault::ApiMisuse, what)
    }

    /// `SEC_E_INVALID_TOKEN` for buffers that an application handed over in a wrong shape.
    #[must_use]
    pub fn invalid_buffers(what: &'static str) -> Self {
        Self::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::ApiMisuse, what)
    }

    fn body(mut self, change: impl FnOnce(&mut Body)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The same with another sentence, such as one that begins with the place of the mistake.
    #[must_use]
    pub fn with_message(self, message: impl Into<Cow<'static, str>>) -> Self {
        self.body(|b| b.message = message.into())
    }

    /// Names the setting that would change the outcome, as it is written in a configuration file.
    #[must_use]
    pub fn with_setting(self, setting: impl Into<Cow<'static, str>>) -> Self {
        self.body(|b| b.setting = Some(setting.into()))
    }

    /// Adds a setting and the value of it that would change the outcome.
    #[must_use]
    pub fn with_remedy(
        self,
        setting: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.body(|b| b.remedies.push(Remedy { setting: setting.into(), value: value.into() }))
    }

    /// The alert number that the peer should get (for [`ControlToken::Alert`](crate::ControlToken::Alert)).
    #[must_use]
    pub fn with_alert(self, alert: u8) -> Self {
        self.body(|b| b.alert = Some(alert))
    }

    /// Another connection, with less, may succeed: see [`Self::suggests_fallback`].
    #[must_use]
    pub fn with_fallback(self) -> Self {
        self.body(|b| b.fallback = true)
    }

    /// The error that caused this one.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.body(|b| b.source = Some(Arc::new(source)))
    }

    /// The SSPI status.
    #[must_use]
    pub fn status(&self) -> SecStatus {
        self.0.status
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Whether the peer did not understand what it was offered, and policy lets another connection be tried with
    /// [`InitializeRequest::fallback`](crate::InitializeRequest::fallback). Nobody vouches for what the peer said: whoever
    /// is in between could have said it.
    #[must_use]
    pub fn suggests_fallback(&self) -> bool {
        self.0.fallback
    }

    /// What happened, as a sentence without the status: what the peer offered, what was expected.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The setting that would change the outcome, where there is one.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        self.0.setting.as_deref()
    }

    /// The settings with the values that would change the outcome, the one that gives least away first. Whether it should be
    /// changed is for a person to say.
    #[must_use]
    pub fn remedies(&self) -> &[Remedy] {
        &self.0.remedies
    }

    /// The alert that tells the peer about this error, where the protocol has one and nothing has been sent yet.
    #[must_use]
    pub fn alert(&self) -> Option<u8> {
        self.0.alert
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(setting) = &self.0.setting {
            write!(f, " (setting: {setting})")?;
        }
        write!(f, " [{}]", self.0.status)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = &self.0;
        f.debug_struct("Error")
            .field("status", &b.status)
            .field("fault", &b.fault)
            .field("message", &b.message)
            .field("setting", &b.setting)
            .field("alert", &b.alert)
            .field("source", &b.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| s.as_ref() as &(dyn std::error::Error + 'static))
    }
}

/// A failed handshake call: the error, and what must still be sent so that the peer learns of it.
///
/// The token is what `ISC_REQ_EXTENDED_ERROR` / `ASC_REQ_EXTENDED_ERROR` asks for; it is empty where there is nothing to
/// say, or where extended errors were not requested.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// The alert or error message that must still be sent; may be empty.
    pub token: Vec<u8>,
}

impl Failure {
    /// A failure with nothing to send.
    #[must_use]
    pub fn silent(error: Error) -> Self {
        Self { error, token: Vec::new() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::silent(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_message_setting_and_status() {
        let error = Error::new(
            SecStatus::SEC_E_ALGORITHM_MISMATCH,
            Fault::PeerIncompatible,
            "the peer offers SSL 3.0",
        )
        .with_setting("protocols")
        .with_alert(70);
        assert_eq!(
            error.to_string(),
            "the peer offers SSL 3.0 (setting: protocols) [SEC_E_ALGORITHM_MISMATCH (0x80090331)]"
        );
        assert_eq!(error.clone().alert(), Some(70));
    }
}
