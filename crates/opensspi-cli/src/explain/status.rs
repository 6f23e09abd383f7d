//! The status codes of SSPI: by name, and by number as C, PowerShell and logs write them.

use opensspi::sspi_core::SecStatus;

use super::{Explanation, settings};

/// Every name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SecStatus::ALL.iter().filter_map(|status| status.name())
}

/// The status that the text is, if it is one that is known.
pub(super) fn explain(text: &str) -> Option<Explanation> {
    let status = SecStatus::by_name(text).or_else(|| number(text))?;
    let name = status.name()?;
    let kind = if status.is_error() { "an error" } else { "a status, and no error," };
    Some(Explanation {
        kind: "status",
        name: name.to_owned(),
        number: Some(i64::from(status.0)),
        sentence: format!(
            "is {kind} of SSPI, 0x{:08X} or {}: {}",
            status.0,
            signed(status),
            status.meaning()
        ),
        settings: settings(advice(status)),
        ..Explanation::default()
    })
}

/// What to say of a number that looks like one of a status, and is none that is known.
pub(super) fn unknown(text: &str) -> Option<String> {
    // FACILITY_SECURITY and FACILITY_CERT of winerror.h, errors and others.
    let unknown = number(text).filter(|status| matches!(status.0 >> 16, 0x8009 | 0x800b | 0x0009))?;
    let nearest = SecStatus::ALL.iter().min_by_key(|status| status.0.abs_diff(unknown.0))?;
    Some(format!("there is no status of the number {unknown}; the nearest is {nearest}"))
}

/// As .NET and PowerShell write it.
fn signed(status: SecStatus) -> i32 {
    i32::from_be_bytes(status.0.to_be_bytes())
}

/// `0x8009030C`, `8009030C`, `-2146893044`, `2148074252`. What is less than the first status is no number of one, but 0.
fn number(text: &str) -> Option<SecStatus> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let hexadecimal = |digits: &str| u32::from_str_radix(digits, 16).ok();
    let number = match digits {
        Some(digits) => hexadecimal(digits)?,
        None if text.len() == 8 && text.starts_with(['8', '0']) => hexadecimal(text)?,
        None => match text.parse::<i64>().ok()? {
            negative @ ..0 => u32::from_be_bytes(i32::try_from(negative).ok()?.to_be_bytes()),
            positive => u32::try_from(positive).ok()?,
        },
    };
    Some(SecStatus(number))
}

/// The settings that decide whether it comes, the likeliest first.
fn advice(status: SecStatus) -> &'static [(&'static str, &'static str)] {
    ADVICE.iter().find(|(known, _)| *known == status).map_or(&[], |(_, settings)| settings)
}

type Row = (SecStatus, &'static [(&'static str, &'static str)]);

/// What of a configuration is behind a status.
const ADVICE: &[Row] = &[
    (
        SecStatus::SEC_E_LOGON_DENIED,
        &[
            ("logon.accounts", "who may log on to this server, and what their passwords are known by"),
            ("ntlm.acceptor-lm-compatibility-level", "which versions of NTLM a server takes"),
            ("ntlm.password", "where a client has its password"),
            ("ntlm.lock-out", "how many failed logons lock an account out, and for how long"),
            ("accounts", "which accounts stand behind the certificates of clients"),
        ],
    ),
    (
        SecStatus::SEC_E_UNKNOWN_CREDENTIALS,
        &[("ntlm.user", "as whom a client logs on"), ("digest.user", "the same with Digest")],
    ),
    (
        SecStatus::SEC_E_NO_CREDENTIALS,
        &[
            ("schannel.certificates", "what a server shows, or a client that is asked"),
            ("schannel.client-auth", "whether clients must show a certificate"),
            ("ntlm.user", "as whom a client logs on"),
            ("negotiate.ntlm", "whether NTLM may be used at all"),
        ],
    ),
    (
        SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY,
        &[
            ("logon.accounts", "the file with the accounts of a server"),
            ("logon.winbind", "or the domain that judges them"),
            ("directory.url", "where the accounts of certificates are looked up"),
        ],
    ),
    (SecStatus::SEC_E_SECPKG_NOT_FOUND, &[("package", "which package secures the connections")]),
    (
        SecStatus::SEC_E_INVALID_TOKEN,
        &[
            ("package", "whether both ends have the same package"),
            ("negotiate.packages", "which packages Negotiate offers and takes"),
            ("negotiate.raw", "whether it takes tokens that are of no negotiation"),
        ],
    ),
    (
        SecStatus::SEC_E_UNSUPPORTED_FUNCTION,
        &[
            ("schannel.protocols", "which protocols are spoken: the two ends have none in common"),
            ("schannel.profile", "the same for a time: modern, compatible, legacy, windows-2003, museum"),
            ("schannel.fallback", "whether a client comes back with older ones"),
        ],
    ),
    (
        SecStatus::SEC_E_ALGORITHM_MISMATCH,
        &[
            ("schannel.suites", "which cipher suites are used"),
            ("schannel.allow", "which weak ones are accepted, by name"),
            ("schannel.dh-minimum-bits", "the smallest group of Diffie-Hellman"),
            ("schannel.extended-master-secret", "whether the master secret must be bound to its handshake"),
            ("digest.ciphers", "which ciphers Digest uses"),
            ("ntlm.minimum-key-bits", "the shortest keys of NTLM"),
        ],
    ),
    (
        SecStatus::SEC_E_ILLEGAL_MESSAGE,
        &[
            ("schannel.suites", "whether something that the peer wants is missing"),
            ("schannel.protocols", "whether it wants another protocol"),
        ],
    ),
    (
        SecStatus::SEC_E_MESSAGE_ALTERED,
        &[("ntlm.require-mic", "whether a client of NTLM must have a MIC over its handshake")],
    ),
    (
        SecStatus::SEC_E_UNTRUSTED_ROOT,
        &[
            ("schannel.roots", "which authorities a client trusts"),
            ("schannel.client-roots", "and a server, of its clients"),
            ("schannel.pins", "or which certificate, whoever issued it"),
        ],
    ),
    (
        SecStatus::SEC_E_WRONG_PRINCIPAL,
        &[
            ("schannel.pins", "which certificate is accepted under any name"),
            ("schannel.allow", "common-name, for old ones that have their name there only"),
            ("ntlm.service-names", "the names that a server of NTLM goes by"),
            ("digest.services", "the services that a server of DIGEST-MD5 is"),
        ],
    ),
    (
        SecStatus::SEC_E_CERT_UNKNOWN,
        &[
            ("schannel.allow", "which weaknesses of certificates are accepted, by name"),
            ("schannel.certificates", "what is shown"),
        ],
    ),
    (SecStatus::SEC_E_CERT_EXPIRED, &[("schannel.certificates", "what is shown: it must be renewed")]),
    (
        SecStatus::SEC_E_CERT_WRONG_USAGE,
        &[("schannel.allow", "rsa-key-usage, for keys that were not certified to decrypt")],
    ),
    (
        SecStatus::CRYPT_E_REVOKED,
        &[
            ("schannel.revocation", "whether revoked certificates are refused"),
            ("schannel.crls", "by which lists"),
        ],
    ),
    (
        SecStatus::CRYPT_E_NO_REVOCATION_CHECK,
        &[
            ("schannel.revocation", "soft accepts what cannot be checked"),
            ("schannel.crls", "where the lists are"),
            ("schannel.ocsp-response", "what a server staples"),
        ],
    ),
    (SecStatus::CRYPT_E_REVOCATION_OFFLINE, &[("schannel.crls", "the list, which is out of date")]),
    (
        SecStatus::SEC_E_BAD_BINDINGS,
        &[
            ("ntlm.channel-bindings", "whether a logon with NTLM must be bound to its channel"),
            ("digest.channel-bindings", "the same for Digest"),
        ],
    ),
    (
        SecStatus::SEC_E_DOWNGRADE_DETECTED,
        &[
            ("negotiate.packages", "what is offered: somebody in between changed it"),
            ("schannel.protocols", "or which protocols"),
        ],
    ),
    (
        SecStatus::SEC_E_QOP_NOT_SUPPORTED,
        &[("digest.qop", "whether messages are signed, or encrypted, or neither")],
    ),
    (
        SecStatus::SEC_E_APPLICATION_PROTOCOL_MISMATCH,
        &[
            ("schannel.alpn", "which application protocols are spoken"),
            ("schannel.unoffered-alpn", "whether a server goes on without one"),
        ],
    ),
    (
        SecStatus::SEC_E_CONTEXT_EXPIRED,
        &[
            ("ntlm.deadline", "how long a challenge can be answered"),
            ("digest.nonce-lifetime", "the same for Digest"),
        ],
    ),
    (
        SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED,
        &[
            ("schannel.protocols", "whether the peer wants another protocol and says nothing of it"),
            ("handshake-deadline", "how long a handshake may take"),
        ],
    ),
    (SecStatus::SEC_E_MUTUAL_AUTH_FAILED, &[("digest.password", "whether both ends have the same password")]),
    (SecStatus::SEC_E_TARGET_UNKNOWN, &[("digest.realm", "the realm that is meant")]),
    (
        SecStatus::SEC_E_MULTIPLE_ACCOUNTS,
        &[("schannel.certificate-mapping", "which account a certificate stands for")],
    ),
    (
        SecStatus::SEC_E_PKINIT_NAME_MISMATCH,
        &[("schannel.allow-weak-mappings", "which ways of naming an account are taken")],
    ),
    (
        SecStatus::SEC_E_ENCRYPT_FAILURE,
        &[("schannel.small-block-limit", "how much a cipher with small blocks protects")],
    ),
    (
        SecStatus::SEC_E_DECRYPT_FAILURE,
        &[("schannel.small-block-limit", "how much a cipher with small blocks protects")],
    ),
    (SecStatus::SEC_I_RENEGOTIATE, &[("schannel.renegotiation", "who may negotiate again")]),
    (SecStatus::SEC_I_NO_RENEGOTIATION, &[("schannel.renegotiation", "who may negotiate again")]),
    (
        SecStatus::SEC_I_INCOMPLETE_CREDENTIALS,
        &[("schannel.client-certificate", "whether a client shows the one that is configured")],
    ),
];

/// Every setting that is named.
#[cfg(test)]
pub(super) fn all_settings() -> impl Iterator<Item = &'static str> {
    ADVICE.iter().flat_map(|(_, settings)| *settings).map(|(name, _)| *name)
}
