//! What was negotiated: the attributes of a context.

use std::sync::Arc;
use std::time::SystemTime;

use sspi_core::{
    Account, AlgId, ConnectionWeakness, ContextFlags, Error, IscRet, KeyInfo, Lifespan, PackageInfo,
    QueryContextAttributes, SecPkgAttr, Secret, Sizes,
};

use crate::compute::Key;
use crate::messages::NegotiateFlags;
use crate::package::{MAX_TOKEN, NAME};
use crate::seal::SIGNATURE_LEN;

/// In which role, with the flags that came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client(IscRet),
    Server(sspi_core::AscRet),
}

/// What a handshake came to.
pub(crate) struct Established {
    pub(crate) role: Role,
    /// What both ends do.
    pub(crate) flags: NegotiateFlags,
    /// `ExportedSessionKey`.
    pub(crate) exported: Key,
    /// The client's name, `DOMAIN\user`; empty for nobody.
    pub(crate) client: String,
    /// The server's name, as far as this end knows it.
    pub(crate) server: String,
    /// Whom the client wanted to talk to.
    pub(crate) target: Option<String>,
    /// The account behind the client, for its server.
    pub(crate) account: Option<Account>,
    /// The client has answered with version 1.
    pub(crate) is_version_1: bool,
    pub(crate) start: SystemTime,
}

/// The attributes of a context.
pub(crate) struct Attributes {
    info: Arc<PackageInfo>,
    pub(crate) established: Established,
}

impl Attributes {
    pub(crate) fn new(info: &Arc<PackageInfo>, established: Established) -> Self {
        Self { info: Arc::clone(info), established }
    }

    /// What of the flags is protection, as an initiator's.
    pub(crate) fn protection(flags: NegotiateFlags) -> IscRet {
        IscRet::CONNECTION
            .with_if(
                flags.protects_messages(),
                IscRet::INTEGRITY | IscRet::REPLAY_DETECT | IscRet::SEQUENCE_DETECT,
            )
            .with_if(flags.contains(NegotiateFlags::NEGOTIATE_SEAL), IscRet::CONFIDENTIALITY)
    }

    pub(crate) const fn is_client(&self) -> bool {
        matches!(self.established.role, Role::Client(_))
    }

    const fn has(&self, flags: NegotiateFlags) -> bool {
        self.established.flags.contains(flags)
    }
}

impl QueryContextAttributes for Attributes {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn flags(&self) -> ContextFlags {
        match self.established.role {
            Role::Client(flags) => ContextFlags::Initiator(flags),
            Role::Server(flags) => ContextFlags::Acceptor(flags),
        }
    }

    fn sizes(&self) -> Result<Sizes, Error> {
        let max_token = usize::try_from(MAX_TOKEN).unwrap_or(usize::MAX);
        Ok(Sizes { max_token, max_signature: SIGNATURE_LEN, block_size: 0, security_trailer: SIGNATURE_LEN })
    }

    fn names(&self) -> Result<String, Error> {
        Ok(self.established.client.clone())
    }

    fn native_names(&self) -> Result<(String, String), Error> {
        Ok((self.established.client.clone(), self.established.server.clone()))
    }

    fn lifespan(&self) -> Result<Lifespan, Error> {
        Ok(Lifespan { start: Some(self.established.start), expiry: None })
    }

    fn key_info(&self) -> Result<KeyInfo, Error> {
        // Windows has numbers of its own for what nobody else calls an algorithm.
        let (number, name) = if self.has(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
            (0xFFFF_FF76, "HMAC-MD5")
        } else {
            (0xFFFF_FF7C, "RSADSI RC4-CRC32")
        };
        Ok(KeyInfo {
            signature_algorithm_name: name.into(),
            encrypt_algorithm_name: "RSADSI RC4".into(),
            key_size: self.established.flags.key_bits(),
            signature_algorithm: AlgId(number),
            encrypt_algorithm: AlgId::RC4,
        })
    }

    fn session_key(&self) -> Result<Secret<Vec<u8>>, Error> {
        Ok(Secret::new(self.established.exported.to_vec()))
    }

    fn client_specified_target(&self) -> Result<String, Error> {
        let unsupported = || SecPkgAttr::CLIENT_SPECIFIED_TARGET.unsupported(NAME);
        self.established.target.clone().ok_or_else(unsupported)
    }

    fn marks_its_end(&self) -> bool {
        false
    }

    fn weaknesses(&self) -> Vec<ConnectionWeakness> {
        let protects = self.established.flags.protects_messages();
        let has_ess = self.has(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        let all = [
            (
                self.established.is_version_1,
                "ntlm-v1",
                "the password was proved with NTLM version 1, which can be broken",
            ),
            (
                protects && !has_ess,
                "no-extended-session-security",
                "messages have a checksum only, which anybody can make",
            ),
            (
                protects && self.established.flags.key_bits() < 128,
                "short-keys",
                "messages are encrypted with keys that can be found by trying all",
            ),
        ];
        let there = all.into_iter().filter(|(is_there, ..)| *is_there);
        there
            .map(|(_, name, description)| ConnectionWeakness {
                name: name.into(),
                description: description.into(),
            })
            .collect()
    }
}
