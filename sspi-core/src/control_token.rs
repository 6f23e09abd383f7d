//! What `ApplyControlToken` takes.

use crate::{Error, Fault, SecStatus};

/// `dwAlertType`: the level of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertLevel {
    /// `TLS1_ALERT_WARNING` (1).
    Warning,
    /// `TLS1_ALERT_FATAL` (2).
    Fatal,
}

impl AlertLevel {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Warning => 1,
            Self::Fatal => 2,
        }
    }
}

/// A control token: something that the application wants of an established context, outside its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlToken {
    /// `SCHANNEL_RENEGOTIATE` (0): ask the peer to negotiate again.
    Renegotiate,
    /// `SCHANNEL_SHUTDOWN` (1): say that nothing more will be sent.
    Shutdown,
    /// `SCHANNEL_ALERT` (2): send this alert.
    Alert {
        /// Its level.
        level: AlertLevel,
        /// Its number, as on the wire.
        number: u8,
    },
    /// `SCHANNEL_SESSION` (3): allow or forbid that this session is resumed.
    Session {
        /// `SSL_SESSION_ENABLE_RECONNECTS` (1) or `SSL_SESSION_DISABLE_RECONNECTS` (2).
        enable_reconnects: bool,
    },
    /// New keys for both directions, without a handshake: KeyUpdate of TLS 1.3. Windows has no number for it.
    UpdateKeys,
}

impl ControlToken {
    /// Reads the structure that C applications pass: a little-endian `DWORD` and its parameters. Bytes behind them are
    /// ignored, as Windows does.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for a token that is too short or of an unknown type, as Windows answers.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let word = |index: usize| {
            let at = index * 4;
            bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
        };
        let unsupported = || {
            Error::new(
                SecStatus::SEC_E_UNSUPPORTED_FUNCTION,
                Fault::ApiMisuse,
                format!("{} bytes that are not a control token", bytes.len()),
            )
        };
        match word(0).ok_or_else(unsupported)? {
            0 => Ok(Self::Renegotiate),
            1 => Ok(Self::Shutdown),
            2 => {
                let level = match word(1) {
                    Some(1) => AlertLevel::Warning,
                    Some(2) => AlertLevel::Fatal,
                    _ => return Err(unsupported()),
                };
                let number = word(2).and_then(|n| u8::try_from(n).ok()).ok_or_else(unsupported)?;
                Ok(Self::Alert { level, number })
            }
            3 => match word(1) {
                Some(1) => Ok(Self::Session { enable_reconnects: true }),
                Some(2) => Ok(Self::Session { enable_reconnects: false }),
                _ => Err(unsupported()),
            },
            _ => Err(unsupported()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows rows T5 and T6.
    #[test]
    fn t5_t6_a_shutdown_token_of_two_bytes_is_unsupported_and_one_of_five_is_read() {
        let short = ControlToken::from_bytes(&[1, 0]).unwrap_err();
        assert_eq!(short.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
        assert_eq!(ControlToken::from_bytes(&[1, 0, 0, 0, 9]).unwrap(), ControlToken::Shutdown);
    }

    #[test]
    fn an_alert_has_level_and_number() {
        let bytes = [2, 0, 0, 0, 2, 0, 0, 0, 42, 0, 0, 0];
        let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 42 };
        assert_eq!(ControlToken::from_bytes(&bytes).unwrap(), alert);
        for cut in 0..bytes.len() {
            assert!(ControlToken::from_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}
