//! What is asked about versions where no row of rules answers: before one is agreed on, and where two of them meet. The
//! handshake compares none itself.

use super::{ProtocolVersion, Rules};

impl Rules {
    /// Whether they are those of this version.
    pub(crate) fn are_of(&self, version: ProtocolVersion) -> bool {
        self.version == version
    }
}

impl ProtocolVersion {
    /// Whether who names this version as the newest that there is may be answered in `other`.
    pub(crate) fn has_room_for(self, other: Self) -> bool {
        other <= self
    }

    /// Whether one of the versions from the first to the last of a pair is also in the other pair.
    pub(crate) fn overlap(one: (Self, Self), other: (Self, Self)) -> bool {
        one.0 <= other.1 && other.0 <= one.1
    }

    /// Whether something else than extensions may follow the fields of a hello.
    ///
    /// Spec: SSL30 section 5.6.1.2.
    pub(crate) fn ends_in_anything(self) -> bool {
        self <= Self::SSL30
    }

    /// What the first record of a client says whose newest version this is: servers that know no newer one want to see an old
    /// one.
    ///
    /// Spec: TLS12 appendix E.1.
    pub(crate) fn of_first_record(self) -> Self {
        self.min(Self::TLS10)
    }

    /// The newest that anybody has defined of the versions in a client's list. What is unknown in it says nothing.
    ///
    /// Spec: TLS13 section 4.2.1.
    pub(crate) fn newest_known(listed: &[u16]) -> Option<Self> {
        let known = Self::SSL30.0..=Self::TLS13.0;
        listed.iter().copied().filter(|version| known.contains(version)).max().map(Self)
    }

    /// Whether a server that names its version in an extension may say this there: only TLS 1.3 is named so.
    ///
    /// Spec: TLS13 section 4.2.1.
    pub(crate) fn is_said_in_extension(data: &[u8]) -> bool {
        data == Self::TLS13.0.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::ProtocolVersion as V;

    #[test]
    fn ranges_of_versions_meet_in_one_that_both_have() {
        assert!(V::overlap((V::SSL30, V::TLS10), (V::TLS10, V::TLS12)));
        assert!(V::overlap((V::TLS10, V::TLS10), (V::SSL30, V::TLS12)));
        assert!(!V::overlap((V::SSL30, V::TLS10), (V::TLS11, V::TLS12)));
        assert!(!V::overlap((V::TLS12, V::TLS12), (V::SSL30, V::TLS11)));
    }

    #[test]
    fn what_nobody_has_defined_does_not_count_in_a_list() {
        assert_eq!(V::newest_known(&[0x0a0a, 0x0303, 0x0305, 0x0301]), Some(V::TLS12));
        assert_eq!(V::newest_known(&[0x7f1c, 0x0200]), None);
    }

    #[test]
    fn pct_is_older_than_ssl_3_whatever_its_number_is() {
        assert!(V::SSL30.has_room_for(V::PCT1) && !V::PCT1.has_room_for(V::SSL30));
        assert!(V::PCT1.ends_in_anything());
    }
}
