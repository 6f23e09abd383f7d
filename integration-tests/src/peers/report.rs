//! What a connection turned out to be, as the peer saw it.

use serde_json::Value;

use super::PeerError;

/// What was negotiated, from the peer's point of view. What a peer does not tell is `None`, false or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The suite in the peer's own words: OpenSSL, Python and curl say `ECDHE-ECDSA-AES128-GCM-SHA256` for a TLS 1.2
    /// suite, Java `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`, GnuTLS `AES-128-GCM`.
    pub cipher: String,
    /// The ALPN protocol.
    pub alpn: Option<String>,
    /// Whether a session was resumed.
    pub resumed: bool,
    /// SHA-256 of the other end's certificate, in hexadecimal.
    pub peer_sha256: Option<String>,
    /// The channel binding tls-unique (TLS 1.2; Python only), in hexadecimal.
    pub tls_unique: Option<String>,
    /// Bytes of application data that came from the other end.
    pub bytes: u64,
    /// Whether the other end closed with close_notify.
    pub clean_close: bool,
    /// Why the connection failed. What else is here may then be empty.
    pub error: Option<String>,
}

impl Negotiated {
    /// This, if the connection did not fail.
    ///
    /// # Errors
    ///
    /// Why it failed.
    pub fn succeeded(self) -> Result<Self, PeerError> {
        match &self.error {
            Some(error) => Err(PeerError::new(format!("the connection failed: {error}"))),
            None => Ok(self),
        }
    }

    /// Reads a line `{"event": "connection", …}` of `python_peer.py` or `JavaPeer.java`.
    pub(super) fn from_json(line: &str) -> Result<Self, PeerError> {
        let report = event(line, "connection")?;
        let text = |name: &str| report.get(name).and_then(Value::as_str).map(str::to_owned);
        let flag = |name: &str| report.get(name).and_then(Value::as_bool).unwrap_or_default();
        Ok(Self {
            version: text("version").unwrap_or_default(),
            cipher: text("cipher").unwrap_or_default(),
            alpn: text("alpn"),
            resumed: flag("resumed"),
            peer_sha256: text("peer_sha256"),
            tls_unique: text("tls_unique"),
            bytes: report.get("bytes").and_then(Value::as_u64).unwrap_or_default(),
            clean_close: flag("clean_close"),
            error: text("error"),
        })
    }
}

/// Reads the line with which a server of ours says where it listens.
///
/// # Errors
///
/// It says something else.
pub fn listening_port(line: &str) -> Result<u16, PeerError> {
    let port = event(line, "listening")?.get("port").and_then(Value::as_u64);
    port.and_then(|port| u16::try_from(port).ok())
        .ok_or_else(|| PeerError::new(format!("no port in {line:?}")))
}

fn event(line: &str, name: &str) -> Result<Value, PeerError> {
    let value: Value = serde_json::from_str(line)
        .map_err(|error| PeerError::new(format!("{line:?} is not JSON: {error}")))?;
    if value.get("event").and_then(Value::as_str) == Some(name) {
        Ok(value)
    } else {
        Err(PeerError::new(format!("{line:?} is not the event {name:?}")))
    }
}

/// The rest of the first line that has `label`, trimmed. For peers that print for people.
pub(super) fn after<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.split_once(label)).map(|(_, rest)| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_field_by_field() {
        let line = r#"{"event":"connection","version":"TLSv1.2","cipher":"X","alpn":null,"resumed":true,
            "peer_sha256":"ab","tls_unique":"cd","bytes":7,"clean_close":true,"error":null}"#;
        let negotiated = Negotiated::from_json(line).unwrap().succeeded().unwrap();
        assert_eq!((negotiated.version.as_str(), negotiated.bytes, negotiated.resumed), ("TLSv1.2", 7, true));
        assert_eq!((negotiated.alpn, negotiated.tls_unique.as_deref()), (None, Some("cd")));
        assert!(Negotiated::from_json(r#"{"event":"listening","port":5}"#).is_err());
        assert!(Negotiated::from_json("Traceback").is_err());
        let failed = Negotiated::from_json(r#"{"event":"connection","error":"alert 48"}"#).unwrap();
        assert!(failed.succeeded().unwrap_err().to_string().contains("alert 48"));
    }
}
