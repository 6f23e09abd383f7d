//! What certificates say about accounts: user principal names, security identifiers, key identifiers.

use super::{Draft, GeneralName, UTF8_STRING};
use crate::der::{self, context, sequence, tlv};

/// 1.3.6.1.4.1.311, Microsoft.
const MICROSOFT: [u8; 7] = [0x2b, 6, 1, 4, 1, 0x82, 0x37];

impl GeneralName {
    /// A user principal name.
    pub fn upn(name: &str) -> Self {
        Self::Other([&MICROSOFT[..], &[20, 2, 3]].concat(), tlv(UTF8_STRING, name.as_bytes()))
    }
}

impl Draft {
    /// With the security identifier of an account, as an authority of Active Directory writes it since 2022.
    pub fn sid(self, sid: &str) -> Self {
        let kind = tlv(der::OBJECT_IDENTIFIER, &[&MICROSOFT[..], &[25, 2, 1]].concat());
        let value = tlv(context(0), &tlv(der::OCTET_STRING, sid.as_bytes()));
        self.security_extension(&sequence(&[&tlv(context(0), &[kind, value].concat())]))
    }

    /// With this value, whatever it is, in the extension that holds the security identifier.
    pub fn security_extension(self, value: &[u8]) -> Self {
        self.another_extension(&[&MICROSOFT[..], &[25, 2]].concat(), false, value)
    }

    /// With a subjectKeyIdentifier.
    pub fn key_identifier(self, identifier: &[u8]) -> Self {
        self.extension(14, false, &tlv(der::OCTET_STRING, identifier))
    }
}
