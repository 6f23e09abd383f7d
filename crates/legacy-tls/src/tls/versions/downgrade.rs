//! How a server says at the end of its random that it could have done better, where nobody in between can change it.
//!
//! ```text
//! negotiated         the server also has     last 8 bytes of its random
//! TLS 1.1 or older   TLS 1.2                 "DOWNGRD" 00
//! TLS 1.2            TLS 1.3                 "DOWNGRD" 01
//! ```
//!
//! Spec: TLS13 section 4.1.3.

use super::ProtocolVersion;

const BELOW_TLS12: &[u8; 8] = b"DOWNGRD\x00";
const BELOW_TLS13: &[u8; 8] = b"DOWNGRD\x01";

/// Marks the random of a server that answers in `version` and could do with `highest`.
pub(crate) fn mark(random: &mut [u8; 32], version: ProtocolVersion, highest: ProtocolVersion) {
    let sentinel = if version < ProtocolVersion::TLS12 && highest >= ProtocolVersion::TLS12 {
        BELOW_TLS12
    } else if version == ProtocolVersion::TLS12 && highest >= ProtocolVersion::TLS13 {
        BELOW_TLS13
    } else {
        return;
    };
    if let Some(last) = random.last_chunk_mut::<8>() {
        *last = *sentinel;
    }
}

/// Whether the server says so, to whatever client.
pub(crate) fn is_marked(random: &[u8; 32]) -> bool {
    matches!(random.last_chunk::<8>(), Some(BELOW_TLS12 | BELOW_TLS13))
}

/// Whether the server says so to a client that has `highest` and was answered in `version`: somebody in between has lowered
/// what it offered.
pub(crate) fn is_lowered(random: &[u8; 32], version: ProtocolVersion, highest: ProtocolVersion) -> bool {
    match random.last_chunk::<8>() {
        // On TLS 1.2 itself the lower sentinel is no less a lie to a client that has 1.3.
        Some(BELOW_TLS12) => {
            highest >= ProtocolVersion::TLS13
                || (version < ProtocolVersion::TLS12 && highest >= ProtocolVersion::TLS12)
        }
        Some(BELOW_TLS13) => version <= ProtocolVersion::TLS12 && highest >= ProtocolVersion::TLS13,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolVersion as V;

    #[test]
    fn client_that_has_what_the_server_has_sees_each_mark() {
        for highest in [V::TLS12, V::TLS13] {
            for version in V::ALL {
                let mut random = [0; 32];
                mark(&mut random, version, highest);
                assert_eq!(is_marked(&random), version != highest);
                assert_eq!(
                    is_lowered(&random, version, highest),
                    version != highest,
                    "{version} of {highest}"
                );
                assert!(!is_lowered(&random, version, version), "{version} is all that the client has");
            }
        }
    }

    #[test]
    fn server_without_tls12_marks_nothing() {
        let mut random = [7; 32];
        mark(&mut random, V::TLS10, V::TLS11);
        assert_eq!(random, [7; 32]);
    }
}
