//! What a configuration says about the mapping of certificates to accounts.

use serde::Deserialize;

use crate::config::Profile;

/// Whether a server asks for the account of a client's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mapping {
    /// It does not.
    #[default]
    Off,
    /// It does, and goes on without one.
    Optional,
    /// It does, and refuses a client whose certificate is for none. A client without certificate is what `client-auth` is
    /// about.
    Required,
}

impl Mapping {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Optional, Self::Required];

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// A rule by which a certificate is mapped to an account.
///
/// Spec: WS2003 (How TLS/SSL Works: Certificate Mapping).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MappingRule {
    /// `s4u`: the user principal name of the certificate, logged on with Kerberos (S4U2Self). It needs the package Kerberos;
    /// without it, the next rule is tried.
    S4u,
    /// `upn`: the user principal name of the certificate, looked up in the directory. The authority that issued the
    /// certificate must be in `nt-auth`.
    Upn,
    /// `one-to-one`: `altSecurityIdentities` that name this certificate.
    OneToOne,
    /// `many-to-one`: `altSecurityIdentities` that name its issuer.
    ManyToOne,
}

impl MappingRule {
    /// All of them, in the order of the default.
    pub const ALL: [Self; 4] = [Self::S4u, Self::Upn, Self::OneToOne, Self::ManyToOne];

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S4u => "s4u",
            Self::Upn => "upn",
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
        }
    }
}

/// A mapping that somebody else's certificate may fit, too. None is accepted unless it is named.
///
/// Spec: KB5014754 (Certificate mappings).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeakMapping {
    /// `upn-without-sid`: by a user principal name alone. An authority that writes what it is asked to write makes anybody
    /// anybody.
    UpnWithoutSid,
    /// `issuer-and-subject`: by names, which may be given out again.
    IssuerAndSubject,
    /// `subject`: by the name that any trusted authority may give.
    Subject,
    /// `rfc822`: by an e-mail address.
    Rfc822,
    /// `issuer`: every certificate of an authority.
    Issuer,
}

impl WeakMapping {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::UpnWithoutSid, Self::IssuerAndSubject, Self::Subject, Self::Rfc822, Self::Issuer];

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpnWithoutSid => "upn-without-sid",
            Self::IssuerAndSubject => "issuer-and-subject",
            Self::Subject => "subject",
            Self::Rfc822 => "rfc822",
            Self::Issuer => "issuer",
        }
    }
}

impl Profile {
    /// In 2003 there was no other kind.
    pub(crate) const fn allow_weak_mappings(self) -> &'static [WeakMapping] {
        match self {
            Self::Windows2003 => &WeakMapping::ALL,
            Self::Modern | Self::Compatible | Self::Legacy | Self::Museum => &[],
        }
    }
}
