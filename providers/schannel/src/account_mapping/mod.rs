//! From a client's certificate to its account: the rules, and what they make of a directory's answers.
//!
//! | what | where |
//! |---|---|
//! | what a configuration says | `settings.rs` |
//! | what names a certificate in a directory | `keys.rs`, `names.rs` |
//! | security identifiers | `sid.rs` |
//! | which rule is tried next, and what an answer comes to | here |
//! | why there is no account | `unmapped.rs` |
//!
//! The rules are tried in the configured order. Each asks the directory once
//! ([`Question::Account`](sspi_core::Question::Account)); the first that finds an account ends the search. A rule that does
//! not apply, finds nothing, or finds what is too weak to be believed, leaves it to the next one, and is remembered for
//! the words of the refusal. Three things end the search for good, since going on would make up for what contradicts: several
//! accounts, an account that is disabled, and a security identifier in the certificate that is another account's; each by a
//! mapping that is accepted. `many-to-one` does not look at security identifiers. Where certificates are pinned, there is no
//! rule: what they say of their owners is an authority's word, and nobody has judged it.
//!
//! | rule | looks for | wants | strong where |
//! |---|---|---|---|
//! | `s4u` | a Kerberos logon | the package Kerberos | |
//! | `upn` | `userPrincipalName` | the issuing authority in `nt-auth` | the certificate has the account's security identifier |
//! | `one-to-one` | `altSecurityIdentities` | a root that is trusted for clients | by serial number, key identifier or key |
//! | `many-to-one` | `altSecurityIdentities` | a root that is trusted for clients | never |
//!
//! Spec: WS2003 (How TLS/SSL Works: Certificate Mapping); MS-PKCA section 3.1.5.2.1; KB5014754.

mod keys;
mod names;
mod settings;
mod sid;
#[cfg(test)]
mod tests;
mod unmapped;

use std::sync::Arc;
use std::time::SystemTime;

use sspi_core::{Account, Answer, Ask, Error, FoundAccount, PeerIdentity, Question};

use crate::certificate::identity::Identity;
use crate::certificate::verifier::{Peer, Verifier, VerifyPolicy, issued_by, may_issue_for};
use keys::Key;
pub use settings::{Mapping, MappingRule, WeakMapping};
use sid::Sid;
pub(crate) use unmapped::{Unmapped, UnmappedKind};

/// The rules of a credential.
#[derive(Debug)]
pub(crate) struct Mapper {
    is_required: bool,
    rules: Vec<MappingRule>,
    allow_weak: Vec<WeakMapping>,
    /// The authorities that may say who somebody is, each certificate in DER.
    nt_auth: Vec<Vec<u8>>,
    roots: TrustedRoots,
}

/// The roots that are trusted for clients.
#[derive(Debug)]
enum TrustedRoots {
    /// All of those that the handshake was judged by.
    All,
    /// Some of these: the others are for another purpose.
    These(Box<Verifier>),
    /// None of them is for clients.
    None,
    /// Nobody has asked a root: certificates are trusted as they are.
    Pinned,
}

/// What a configuration says.
pub(crate) struct MapperSettings {
    pub(crate) mapping: Mapping,
    pub(crate) rules: Vec<MappingRule>,
    pub(crate) allow_weak: Vec<WeakMapping>,
    pub(crate) nt_auth: Vec<Vec<u8>>,
}

impl Mapper {
    /// `None` where nothing is mapped.
    ///
    /// # Errors
    /// Those of the roots, which are the handshake's too.
    pub(crate) fn new(settings: MapperSettings, trust: &VerifyPolicy) -> Result<Option<Self>, Error> {
        if settings.mapping == Mapping::Off {
            return Ok(None);
        }
        Ok(Some(Self {
            is_required: settings.mapping == Mapping::Required,
            rules: settings.rules,
            allow_weak: settings.allow_weak,
            nt_auth: settings.nt_auth,
            roots: TrustedRoots::of(trust)?,
        }))
    }

    /// Whether a client whose certificate is for no account is refused.
    pub(crate) const fn is_required(&self) -> bool {
        self.is_required
    }

    fn accepts(&self, weakness: Option<WeakMapping>) -> bool {
        weakness.is_none_or(|weakness| self.allow_weak.contains(&weakness))
    }
}

impl TrustedRoots {
    fn of(trust: &VerifyPolicy) -> Result<Self, Error> {
        if !trust.pins.is_empty() {
            return Ok(Self::Pinned);
        }
        let roots: Vec<_> =
            trust.roots.iter().filter(|root| may_issue_for(root, Peer::Client)).cloned().collect();
        if roots.len() == trust.roots.len() {
            return Ok(Self::All);
        }
        if roots.is_empty() {
            return Ok(Self::None);
        }
        let policy = VerifyPolicy {
            roots,
            pins: Vec::new(),
            allow: trust.allow,
            revocation: trust.revocation,
            crls: trust.crls.clone(),
            crl_files: trust.crl_files.clone(),
        };
        Ok(Self::These(Box::new(Verifier::new(&policy, Peer::Client)?)))
    }

    fn trusts(&self, chain: &[Vec<u8>], now: SystemTime) -> bool {
        match self {
            Self::All => true,
            Self::None | Self::Pinned => false,
            Self::These(verifier) => {
                let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
                verifier.verify_client(&chain, now).is_ok()
            }
        }
    }
}

/// The search for the account of one certificate, which has been verified.
pub(crate) struct Search {
    mapper: Arc<Mapper>,
    /// What is still to be asked, the next one last.
    left: Vec<Attempt>,
    asked: Option<(Attempt, Answer<Found>)>,
    /// The security identifier of the account that the certificate was issued for.
    sid: Option<Sid>,
    unmapped: Unmapped,
}

/// What a directory answers.
type Found = Result<Vec<FoundAccount>, Error>;

/// A rule with what it asks for.
enum Attempt {
    Upn(String),
    Identities(Vec<Key>),
}

/// What a search comes to.
pub(crate) enum Step {
    /// To be answered, then called again.
    Ask(Question),
    /// The account, or why there is none.
    Done(Result<Account, NoAccount>),
}

/// Why there is no account.
#[derive(Clone, Debug)]
pub(crate) enum NoAccount {
    /// No rule led to one.
    Unmapped(Unmapped),
    /// The directory could not say.
    Directory(Error),
}

impl Search {
    /// A search for the owner of a chain, the leaf first.
    pub(crate) fn new(mapper: &Arc<Mapper>, chain: &[Vec<u8>], now: SystemTime) -> Self {
        let mut search = Self {
            mapper: Arc::clone(mapper),
            left: Vec::new(),
            asked: None,
            sid: None,
            unmapped: Unmapped::default(),
        };
        let leaf = chain.first().map(Vec::as_slice).unwrap_or_default();
        match Identity::read(leaf) {
            Ok(certificate) => search.plan(&certificate, chain, now),
            Err(error) => search.unmapped.unreadable(&error.to_string()),
        }
        search
    }

    /// What each rule asks for.
    fn plan(&mut self, certificate: &Identity<'_>, chain: &[Vec<u8>], now: SystemTime) {
        match certificate.sid.as_deref().map(str::parse).transpose() {
            Ok(sid) => self.sid = sid,
            Err(sid::NotASid) => return self.unmapped.unreadable("its security identifier is none"),
        }
        let mapper = Arc::clone(&self.mapper);
        if matches!(mapper.roots, TrustedRoots::Pinned) {
            // Neither its times nor its purposes, nor those of who issued it, have been looked at.
            return self.unmapped.note("it is pinned, and no authority has been asked", Some("pins"));
        }
        for rule in mapper.rules.iter().rev() {
            let attempt = match rule {
                // The logon with Kerberos (S4U2Self) has its place here.
                MappingRule::S4u => None,
                MappingRule::Upn => self.plan_upn(certificate, chain),
                MappingRule::OneToOne => {
                    let keys = keys::one_to_one(certificate);
                    if let Some(strong) = keys.first().filter(|key| key.kind.weakness().is_none()) {
                        self.unmapped.would_be_named_by(&strong.identity);
                    }
                    self.plan_identities(*rule, keys, chain, now)
                }
                MappingRule::ManyToOne => {
                    self.plan_identities(*rule, keys::many_to_one(certificate), chain, now)
                }
            };
            self.left.extend(attempt);
        }
        // Where there are other rules, it is one that finds nothing.
        if !mapper.rules.is_empty() && mapper.rules.iter().all(|rule| *rule == MappingRule::S4u) {
            let what = "s4u is not available: there is no package Kerberos, and no other rule";
            self.unmapped.note(what, Some("certificate-mapping"));
        }
    }

    fn plan_upn(&mut self, certificate: &Identity<'_>, chain: &[Vec<u8>]) -> Option<Attempt> {
        let Ok(upn) = keys::upn(certificate) else {
            self.unmapped.note("it has several user principal names", None);
            return None;
        };
        let upn = upn?;
        let leaf = chain.first()?;
        if !self.mapper.nt_auth.iter().any(|authority| issued_by(leaf, authority)) {
            self.unmapped
                .note("the authority that issued it is not among those that may name users", Some("nt-auth"));
            return None;
        }
        Some(Attempt::Upn(upn.to_owned()))
    }

    fn plan_identities(
        &mut self,
        rule: MappingRule,
        keys: Vec<Key>,
        chain: &[Vec<u8>],
        now: SystemTime,
    ) -> Option<Attempt> {
        if keys.is_empty() {
            return None;
        }
        if !self.mapper.roots.trusts(chain, now) {
            let what = format!("{} wants a root that is trusted for clients", rule.name());
            self.unmapped.note(&what, Some("client-roots"));
            return None;
        }
        Some(Attempt::Identities(keys))
    }

    /// Goes on with the answer to the last question, if there was one.
    ///
    /// # Errors
    /// `SEC_E_INVALID_HANDLE`: it was not answered.
    pub(crate) fn advance(&mut self) -> Result<Step, Error> {
        if let Some((attempt, answer)) = self.asked.take() {
            let found = answer.given()?.clone();
            let judged = match found {
                Ok(found) => self.judge(&attempt, &found).map_err(NoAccount::Unmapped),
                Err(error) => Err(NoAccount::Directory(error)),
            };
            if let Some(done) = judged.transpose() {
                return Ok(Step::Done(done));
            }
        }
        let Some(attempt) = self.left.pop() else {
            return Ok(Step::Done(Err(NoAccount::Unmapped(self.unmapped.clone()))));
        };
        let (ask, answer) = Ask::new(match &attempt {
            Attempt::Upn(upn) => PeerIdentity::UserPrincipalName(upn.clone()),
            Attempt::Identities(keys) => {
                PeerIdentity::SecurityIdentities(keys.iter().map(|key| key.identity.clone()).collect())
            }
        });
        self.asked = Some((attempt, answer));
        Ok(Step::Ask(Question::Account(ask)))
    }

    /// The account that an answer leads to; nothing if the next rule is to be tried.
    ///
    /// # Errors
    /// It is over.
    fn judge(&mut self, attempt: &Attempt, found: &[FoundAccount]) -> Result<Option<Account>, Unmapped> {
        // What a directory thinks is equal may be wider than what is equal here: it has the last word on what is not there, and
        // not on what is.
        let mut fitting: Vec<(&FoundAccount, Match)> = Vec::new();
        for one in found {
            let is_known = fitting.iter().any(|(known, _)| *known == one);
            if let Some(by) = self.matches(attempt, one).filter(|_| !is_known) {
                fitting.push((one, by));
            }
        }
        let accepted: Vec<_> = fitting.iter().filter(|(_, by)| self.mapper.accepts(by.weakness)).collect();
        // An account that is believed to be the certificate's, and that the certificate contradicts, is no accident.
        if let Some((one, _)) = accepted.iter().find(|(one, by)| self.contradicts(one, *by)) {
            return Err(Unmapped::end(UnmappedKind::WrongSid, &one.account));
        }
        match accepted.as_slice() {
            [] => {
                for (one, by) in &fitting {
                    if self.contradicts(one, *by) {
                        self.unmapped.contradicted(&one.account);
                    } else {
                        self.unmapped.weak(&one.account, by.weakness);
                    }
                }
                Ok(None)
            }
            [(one, _)] if one.is_disabled => Err(Unmapped::end(UnmappedKind::Disabled, &one.account)),
            [(one, by)] => Ok(Some(Account { matched_by: by.name.to_owned(), ..one.account.clone() })),
            [(one, _), ..] => Err(Unmapped::end(UnmappedKind::Several, &one.account)),
        }
    }

    /// Whether the certificate was issued for another account. An account for every certificate of an authority is none of
    /// those that they were issued for.
    fn contradicts(&self, one: &FoundAccount, by: Match) -> bool {
        by.weakness != Some(WeakMapping::Issuer)
            && self.sid.as_ref().zip(sid_of(one)).is_some_and(|(own, sid)| *own != sid)
    }

    /// By what the account fits; `None` if it does not.
    fn matches(&self, attempt: &Attempt, one: &FoundAccount) -> Option<Match> {
        match attempt {
            Attempt::Upn(upn) => {
                one.account.upn.as_ref().filter(|own| own.eq_ignore_ascii_case(upn))?;
                let is_same = self.sid.is_some() && self.sid == sid_of(one);
                let weakness = (!is_same).then_some(WeakMapping::UpnWithoutSid);
                Some(Match { name: weakness.map_or(MappingRule::Upn.name(), WeakMapping::name), weakness })
            }
            Attempt::Identities(keys) => {
                let has = |key: &&Key| {
                    one.security_identities.iter().any(|own| own.eq_ignore_ascii_case(&key.identity))
                };
                let by = keys.iter().filter(has).map(|key| key.kind);
                // One that is accepted, if there is one; they stand in the order of their strength.
                let accepted = by.clone().find(|kind| self.mapper.accepts(kind.weakness()));
                let kind = accepted.or_else(|| by.clone().next())?;
                Some(Match { name: kind.name(), weakness: kind.weakness() })
            }
        }
    }
}

/// By what an account fits a certificate.
#[derive(Clone, Copy, Debug)]
struct Match {
    name: &'static str,
    weakness: Option<WeakMapping>,
}

/// The account's security identifier, if the directory knows one that can be read.
fn sid_of(one: &FoundAccount) -> Option<Sid> {
    one.account.sid.as_deref()?.parse().ok()
}
