//! The account that an authenticated peer stands for.

/// An account: what `QuerySecurityContextToken` answers about the peer.
///
/// Fields are what the directory knew; an empty option is something that it did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The account's name, without domain.
    pub name: String,
    /// The domain or realm.
    pub domain: Option<String>,
    /// The user principal name (`name@domain`).
    pub upn: Option<String>,
    /// The distinguished name in the directory.
    pub distinguished_name: Option<String>,
    /// The security identifier in string form (`S-1-5-21-…`).
    pub sid: Option<String>,
    /// Which rule matched, for the audit record: `password`, `upn`, `issuer-and-subject`, and so on.
    pub matched_by: String,
}

/// What is known about a peer when its account is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerIdentity {
    /// A name that the package has authenticated, in the package's own form.
    Name(String),
    /// A verified certificate chain, leaf first, each in DER.
    CertificateChain(Vec<Vec<u8>>),
}
