//! Why a certificate is for no account, in words and with the setting that would change it.

use std::borrow::Cow;

use sspi_core::{Account, Error, Fault, SecStatus};

use super::{NoAccount, WeakMapping};
use crate::certificate::harmless;
use crate::status;

/// Why a certificate is for no account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unmapped {
    pub(crate) kind: UnmappedKind,
    /// What was found on the way. Harmless to print.
    notes: Vec<String>,
    setting: Option<&'static str>,
    /// The weak mappings that would have led to one.
    weak: Vec<WeakMapping>,
    /// What would name the certificate in a directory, and no other. Harmless to print.
    strong: Option<String>,
}

/// The kinds that have a status of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnmappedKind {
    /// No rule found one.
    #[default]
    NotFound,
    /// What it says of its owner cannot be read.
    Unreadable,
    /// Only weak mappings found one.
    Weak,
    /// Several accounts fit.
    Several,
    /// The account is disabled.
    Disabled,
    /// It was issued for another account than the one that was found.
    WrongSid,
}

impl Unmapped {
    /// A rule that did not apply, and the setting that would make it.
    pub(super) fn note(&mut self, what: &str, setting: Option<&'static str>) {
        // The rules are looked at from the last one to the first.
        self.notes.insert(0, what.to_owned());
        self.setting = setting.or(self.setting);
    }

    pub(super) fn unreadable(&mut self, what: &str) {
        self.kind = UnmappedKind::Unreadable;
        self.notes = vec![what.to_owned()];
    }

    /// What would name the certificate.
    pub(super) fn would_be_named_by(&mut self, identity: &str) {
        self.strong = Some(harmless(identity));
    }

    /// An account that was found by a weak mapping, which is not accepted.
    pub(super) fn weak(&mut self, account: &Account, weakness: Option<WeakMapping>) {
        let Some(weakness) = weakness.filter(|weakness| !self.weak.contains(weakness)) else { return };
        self.kind = UnmappedKind::Weak;
        self.setting = Some("allow-weak-mappings");
        self.weak.push(weakness);
        let name = weakness.name();
        self.notes.push(format!("{} is mapped by {name}, which is weak", harmless(&account.name)));
    }

    /// An account that was found by a weak mapping, which is not accepted and would not be: the certificate was issued for
    /// another one.
    pub(super) fn contradicted(&mut self, account: &Account) {
        if self.kind == UnmappedKind::NotFound {
            self.kind = UnmappedKind::WrongSid;
        }
        self.notes.push(wrong_sid(&harmless(&account.name)));
    }

    /// The search is over.
    pub(super) fn end(kind: UnmappedKind, account: &Account) -> Self {
        let name = harmless(&account.name);
        let note = match kind {
            UnmappedKind::WrongSid => wrong_sid(&name),
            UnmappedKind::Disabled => format!("the account {name} is disabled"),
            UnmappedKind::Several => format!("several accounts fit, {name} is one of them"),
            UnmappedKind::NotFound | UnmappedKind::Unreadable | UnmappedKind::Weak => name,
        };
        Self { kind, notes: vec![note], ..Self::default() }
    }

    pub(crate) fn sentence(&self) -> String {
        let strong = self.strong.as_ref().map(|identity| format!("a directory could name it by {identity}"));
        let notes: Vec<&str> = self.notes.iter().chain(&strong).map(String::as_str).collect();
        let colon = if notes.is_empty() { "" } else { ": " };
        format!("the client's certificate is for no account{colon}{}", notes.join("; "))
    }

    pub(crate) const fn setting(&self) -> Option<&'static str> {
        self.setting
    }

    /// The setting and the value that would have accepted what was found.
    pub(crate) fn remedy(&self) -> Option<(&'static str, String)> {
        let names: Vec<&str> = self.weak.iter().map(|weakness| weakness.name()).collect();
        (!names.is_empty()).then(|| ("allow-weak-mappings", names.join(",")))
    }
}

fn wrong_sid(name: &str) -> String {
    format!("its security identifier is another one than that of {name}")
}

impl NoAccount {
    /// What ends a handshake that must have an account.
    pub(crate) fn refusal(&self) -> Error {
        match self {
            Self::Unmapped(unmapped) => status::Error::Unmapped(unmapped.clone()).into(),
            Self::Directory(error) => error.clone().with_alert(status::INTERNAL_ERROR),
        }
    }

    /// What a context without account answers to whoever asks for it.
    pub(crate) fn answer(&self) -> Error {
        let Self::Unmapped(unmapped) = self else { return self.refusal() };
        let message: Cow<'static, str> = unmapped.sentence().into();
        let mut error = Error::new(SecStatus::SEC_E_NO_IMPERSONATION, Fault::Refused, message);
        if let Some(setting) = unmapped.setting() {
            error = error.with_setting(setting);
        }
        match unmapped.remedy() {
            Some((setting, value)) => error.with_remedy(setting, value),
            None => error,
        }
    }
}
