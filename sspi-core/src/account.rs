//! The account that an authenticated peer stands for, and how it is asked for.

use crate::{Error, Fault, SecStatus};

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
    /// Which rule matched, for the audit record: `password`, `upn`, `issuer-and-subject`, and so on. The package says it; a
    /// directory leaves it empty.
    pub matched_by: String,
}

/// What is known about a peer when its account is asked for. It is a question for exactly these accounts: a directory
/// compares without regard to case, and with regard to everything else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerIdentity {
    /// A name that the package has authenticated, in the package's own form.
    Name(String),
    /// A user principal name that a verified certificate carries: the accounts that have it as theirs
    /// (`userPrincipalName`).
    UserPrincipalName(String),
    /// What a verified certificate is known by, such as `X509:<SKI>…`: the accounts that have one of these among their
    /// `altSecurityIdentities`. Never empty.
    SecurityIdentities(Vec<String>),
}

/// An account as a directory has it.
///
/// A directory answers a question with every account that it finds, in any order, and judges none: that there are two, or that
/// one is disabled, is the package's to refuse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundAccount {
    /// The account. The UPN by which it was found is in it.
    pub account: Account,
    /// Nobody may log on with it.
    pub is_disabled: bool,
    /// Its `altSecurityIdentities`; those by which it was found are among them.
    pub security_identities: Vec<String>,
}

impl From<Account> for FoundAccount {
    fn from(account: Account) -> Self {
        Self { account, ..Self::default() }
    }
}

impl FoundAccount {
    /// The one account that may be used; `None` if nothing was found.
    ///
    /// # Errors
    /// `SEC_E_MULTIPLE_ACCOUNTS` if there are several, so that nobody can say which is meant; `SEC_E_LOGON_DENIED` if it is
    /// disabled.
    pub fn only(found: &[Self]) -> Result<Option<Account>, Error> {
        let refused = |status, message: &'static str| Err(Error::new(status, Fault::Refused, message));
        match found {
            [] => Ok(None),
            [one] if one.is_disabled => refused(SecStatus::SEC_E_LOGON_DENIED, "the account is disabled"),
            [one] => Ok(Some(one.account.clone())),
            _ => refused(SecStatus::SEC_E_MULTIPLE_ACCOUNTS, "several accounts stand behind the peer"),
        }
    }
}
