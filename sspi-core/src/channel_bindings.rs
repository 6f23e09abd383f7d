//! Channel bindings: what ties an authentication to the channel that it runs in.

/// `SEC_CHANNEL_BINDINGS`: the application data of a binding, with its prefix. The address fields are not used by anyone
/// and are zero on the wire.
///
/// Spec: BINDING (RFC 5929, RFC 9266); the layout is that of `SEC_CHANNEL_BINDINGS` in sspi.h.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelBindings {
    application_data: Vec<u8>,
}

/// Length of `SEC_CHANNEL_BINDINGS` without its data, in bytes.
const HEADER: u32 = 32;

impl ChannelBindings {
    /// From application data that already has its prefix, such as `tls-unique:` followed by the verify data.
    #[must_use]
    pub fn from_application_data(application_data: Vec<u8>) -> Self {
        Self { application_data }
    }

    /// `tls-server-end-point:` and a hash of the server's certificate.
    #[must_use]
    pub fn tls_server_end_point(hash: &[u8]) -> Self {
        Self::prefixed(b"tls-server-end-point:", hash)
    }

    /// `tls-unique:` and the first Finished message's verify data; for TLS 1.2 and older.
    #[must_use]
    pub fn tls_unique(finished: &[u8]) -> Self {
        Self::prefixed(b"tls-unique:", finished)
    }

    /// `tls-exporter:` and 32 bytes of the exporter `EXPORTER-Channel-Binding`.
    #[must_use]
    pub fn tls_exporter(exported: &[u8]) -> Self {
        Self::prefixed(b"tls-exporter:", exported)
    }

    fn prefixed(prefix: &[u8], value: &[u8]) -> Self {
        Self { application_data: [prefix, value].concat() }
    }

    /// Prefix and value.
    #[must_use]
    pub fn application_data(&self) -> &[u8] {
        &self.application_data
    }

    /// The value behind the prefix, if there is a prefix.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        let colon = self.application_data.iter().position(|&b| b == b':').map_or(0, |i| i + 1);
        self.application_data.get(colon..).unwrap_or_default()
    }

    /// The bytes of `SEC_CHANNEL_BINDINGS`: six zero words for the addresses, length and offset of the data in little
    /// endian, the data.
    #[must_use]
    pub fn to_sec_channel_bindings(&self) -> Vec<u8> {
        let mut out = vec![0; 24];
        out.extend(u32::try_from(self.application_data.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(HEADER.to_le_bytes());
        out.extend(&self.application_data);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::ChannelBindings;

    #[test]
    fn the_structure_is_a_header_of_32_bytes_and_the_data() {
        let bindings = ChannelBindings::tls_server_end_point(&[7; 32]);
        let bytes = bindings.to_sec_channel_bindings();
        assert_eq!(bytes.len(), 32 + 21 + 32);
        assert_eq!(&bytes[..24], [0; 24]);
        assert_eq!(&bytes[24..32], [53, 0, 0, 0, 32, 0, 0, 0]);
        assert!(bytes[32..].starts_with(b"tls-server-end-point:\x07"));
        assert_eq!(bindings.value(), [7; 32]);
    }
}
