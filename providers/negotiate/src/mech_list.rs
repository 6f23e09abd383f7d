//! Which mechanisms are offered, and which of an offer is taken.

use std::sync::Arc;

use gss::{MechType, MechTypeList};
use sspi_core::{CredentialsHandle, Oid, PackageInfo, SecPkgFlags};

use crate::config::{NtlmPolicy, Policy, RawPolicy};
use crate::status::Error;

/// A package that may be chosen, with its credentials.
#[derive(Clone)]
pub(crate) struct Mechanism {
    pub(crate) credentials: Arc<dyn CredentialsHandle>,
}

impl Mechanism {
    /// The package's name.
    pub(crate) fn name(&self) -> &str {
        &self.credentials.package_info().name
    }

    fn oids(&self) -> impl Iterator<Item = MechType<'_>> {
        self.credentials.package_info().oids.iter().map(Oid::content).filter_map(MechType::from_content)
    }

    /// Whether it is this mechanism, under whichever of its names.
    pub(crate) fn is(&self, mechanism: MechType<'_>) -> bool {
        self.credentials.package_info().oids.iter().any(|own| mechanism.is_that_of(own.content()))
    }

    /// Whether it speaks for itself, as a stream.
    pub(crate) fn is_stream(&self) -> bool {
        is_stream(self.credentials.package_info())
    }

    /// Whether the package protects messages at all.
    pub(crate) fn can_sign(&self) -> bool {
        self.credentials.package_info().capabilities.contains(SecPkgFlags::INTEGRITY)
    }

    pub(crate) fn is_ntlm(&self) -> bool {
        self.is(MechType::NTLM)
    }

    /// What it is offered as: its first name. Kerberos is offered under both, since servers of Windows 2000 know only one.
    ///
    /// Spec: SPNEGO appendix C; MS-SPNG section 3.2.5.2.
    fn offered_as(&self) -> Vec<MechType<'_>> {
        if self.is(MechType::KERBEROS) {
            return vec![MechType::MS_KERBEROS, MechType::KERBEROS];
        }
        self.oids().take(1).collect()
    }
}

/// A package whose tokens are a stream, and which no negotiation can carry: it speaks for itself.
pub(crate) struct StreamPackage {
    /// Or why it has no credentials.
    pub(crate) package: Result<Mechanism, sspi_core::Error>,
    /// The policy has nothing before it that has any.
    pub(crate) is_favourite: bool,
}

/// What handshakes choose from, and by which rules.
pub(crate) struct Choice {
    /// The favourite first.
    pub(crate) mechanisms: Vec<Mechanism>,
    /// All of them, as a client offers them.
    pub(crate) offer: Option<Arc<MechTypeList<'static>>>,
    /// For callers that want a stream.
    pub(crate) stream: Option<StreamPackage>,
    pub(crate) ntlm: NtlmPolicy,
    pub(crate) raw: RawPolicy,
    /// The packages that the policy prefers to NTLM, and why they have no credentials: for records.
    pub(crate) better_without_credentials: String,
}

impl Choice {
    pub(crate) fn mechanism(&self, index: usize) -> Result<&Mechanism, Error> {
        self.mechanisms.get(index).ok_or_else(|| Error::Internal("there is no such mechanism"))
    }

    /// The names of what may be chosen, for those who are told that it is not enough.
    pub(crate) fn names(&self) -> String {
        let stream = self.stream.iter().filter_map(|stream| stream.package.as_ref().ok());
        self.mechanisms.iter().chain(stream).map(Mechanism::name).collect::<Vec<_>>().join(", ")
    }
}

/// Whether a package speaks for itself, as a stream: no negotiation can carry it. (Negotiate may be both.)
pub(crate) fn is_stream(info: &PackageInfo) -> bool {
    info.oids.is_empty() && info.capabilities.is_stream()
}

/// Whether a package is called so.
pub(crate) fn is_named(info: &PackageInfo, name: &str) -> bool {
    core::iter::once(&info.name).chain(&info.aliases).any(|own| own.eq_ignore_ascii_case(name))
}

/// The mechanisms of a credential that a policy lets be chosen, in its order; and the first package for streams that it names.
pub(crate) fn allowed(
    mechanisms: &[Mechanism],
    policy: Policy<'_>,
) -> (Vec<Mechanism>, Option<StreamPackage>) {
    let named = |name: &String| {
        mechanisms.iter().find(|mechanism| is_named(mechanism.credentials.package_info(), name))
    };
    let chosen: Vec<&Mechanism> = if policy.packages.is_empty() {
        let carried = mechanisms.iter().filter(|mechanism| !mechanism.is_stream());
        let (last, first): (Vec<_>, Vec<_>) = carried.partition(|mechanism| mechanism.is_ntlm());
        first.into_iter().chain(last).collect()
    } else {
        policy.packages.iter().filter_map(named).collect()
    };
    let is_allowed = |mechanism: &&Mechanism| policy.ntlm != NtlmPolicy::Deny || !mechanism.is_ntlm();
    let chosen: Vec<&Mechanism> = chosen.into_iter().filter(is_allowed).collect();
    let at = chosen.iter().position(|mechanism| mechanism.is_stream());
    let stream = at.and_then(|at| {
        let package = Ok(Mechanism::clone(chosen.get(at)?));
        Some(StreamPackage { package, is_favourite: at == 0 })
    });
    let carried = chosen.into_iter().filter(|mechanism| !mechanism.is_stream()).cloned();
    (carried.collect(), stream)
}

/// What a client offers.
pub(crate) fn offer(mechanisms: &[Mechanism]) -> Option<Arc<MechTypeList<'static>>> {
    MechTypeList::new(mechanisms.iter().flat_map(Mechanism::offered_as)).map(Arc::new)
}

/// What of an offer a server takes.
pub(crate) struct Chosen<'a> {
    /// Which of its own.
    pub(crate) index: usize,
    /// The name under which it was offered.
    pub(crate) offered_as: MechType<'a>,
    /// It is the client's favourite: the token in the offer is for it.
    pub(crate) is_favourite_of_client: bool,
}

/// The first of the client's that there is.
///
/// Spec: SPNEGO section 3.1.
pub(crate) fn choose<'a>(mechanisms: &[Mechanism], offered: &'a MechTypeList<'_>) -> Option<Chosen<'a>> {
    let mut first = None;
    offered.iter().find_map(|offered_as| {
        let first = *first.get_or_insert(offered_as);
        let index = mechanisms.iter().position(|mechanism| mechanism.is(offered_as))?;
        let is_favourite_of_client = offered_as.is_same_mechanism(first);
        Some(Chosen { index, offered_as, is_favourite_of_client })
    })
}

/// Names of mechanisms, as a person reads them.
pub(crate) fn names<'m>(mechanisms: impl IntoIterator<Item = MechType<'m>>) -> String {
    let name = |mechanism: MechType<'_>| match mechanism.name() {
        Some(name) => name.to_owned(),
        None => mechanism.to_string(),
    };
    mechanisms.into_iter().map(name).collect::<Vec<_>>().join(", ")
}
