//! What a ServerHello says, chosen from what the client offers: a session, or a suite with certificate and group.

use std::sync::Arc;

use crypto::dh;
use crypto::ecdh::NamedGroup;
use crypto::ecdsa::Curve;
use crypto::public_key::PublicKey;

use super::hello::{Offered, Start};
use crate::certificate::{Identity, PeerCertificate};
use crate::config::{ClientAuth, ServerConfig};
use crate::error::{Error, Incompatible, Misbehaved};
use crate::session::{OpenedTicket, Session, SessionTickets};
use crate::tls::cipher_suites::{KeyExchange, SuiteRow};
use crate::tls::extensions as extension;
use crate::tls::messages::ClientHello;
use crate::tls::signature::SignatureScheme;
use crate::tls::versions::{Rules, Signatures};

/// What a ServerHello is chosen from.
pub(super) struct Choice<'a> {
    pub(super) start: Start,
    pub(super) rules: &'static Rules,
    pub(super) hello: &'a ClientHello<'a>,
    pub(super) offered: Offered,
    pub(super) extended: bool,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) config: &'a ServerConfig,
}

/// A session that a client has named.
pub(super) struct Named {
    pub(super) session: Arc<Session>,
    /// It was in a ticket.
    pub(super) by_ticket: bool,
    /// The client is to have a new ticket.
    pub(super) renew: bool,
}

impl Choice<'_> {
    /// What makes tickets, if the client can have one: whoever understands them has the extension in its hello.
    ///
    /// Spec: TICKET section 3.2.
    pub(super) fn tickets(&self) -> Option<&dyn SessionTickets> {
        let Self { config, hello, rules, .. } = self;
        let may =
            config.policy.resume && rules.has_extensions && hello.extensions.has(extension::SESSION_TICKET);
        config.sessions.tickets().filter(|_| may)
    }

    /// The session that the client names. Who shows a ticket means nothing by the identifier.
    ///
    /// Spec: TICKET section 3.4.
    fn named(&self) -> Option<Named> {
        let Self { config, hello, .. } = self;
        let now = config.clock.now();
        let ticket = hello.extensions.find(extension::SESSION_TICKET).filter(|ticket| !ticket.is_empty());
        if let Some((tickets, ticket)) = self.tickets().zip(ticket) {
            let OpenedTicket { session, renew } = tickets.open(ticket, now)?;
            return Some(Named { session, by_ticket: true, renew });
        }
        if hello.session_id.is_empty() {
            return None;
        }
        let session = config.sessions.get(&hello.session_id, now)?;
        Some(Named { session, by_ticket: false, renew: false })
    }

    /// The session that the client wants to take up again, if what it was made with would be agreed on again.
    ///
    /// Spec: TLS12 section 7.4.1.2; EMS section 5.3; TLS-EXT section 3.
    pub(super) fn session(&self) -> Result<Option<Named>, Error> {
        let Self { config, hello, rules, .. } = self;
        if !config.policy.resume || self.start.before.is_some() {
            return Ok(None);
        }
        let Some(named) = self.named() else { return Ok(None) };
        let session = &named.session;
        if !rules.are_of(session.version)
            || !hello.suites.contains(&session.suite)
            || !config.policy.suites.contains(&session.suite)
            || session.server_name != self.offered.server_name
        {
            return Ok(None);
        }
        if session.extended_master_secret && !self.offered.extended_master_secret {
            return Err(Misbehaved::ResumedBinding { was_bound: true }.into());
        }
        if session.extended_master_secret != self.extended {
            return Ok(None);
        }
        let client_auth = self.start.client_auth(self.config);
        if session.peer_chain.is_empty() {
            return Ok((client_auth != ClientAuth::Required).then_some(named));
        }
        let shown = PeerCertificate {
            chain: &session.peer_chain,
            server_name: None,
            ocsp_response: &[],
            resumed: true,
        };
        let accepted = client_auth != ClientAuth::None && config.client_verifier.verify(&shown).is_ok();
        Ok(accepted.then_some(named))
    }

    /// The first suite of ours that the client has, that its version has, and for which we have key and group.
    pub(super) fn suite(&self) -> Result<(&'static SuiteRow, Arc<Identity>, Option<NamedGroup>), Error> {
        let policy = &self.config.policy;
        let group = match &self.offered.groups {
            None => policy.groups.iter().find(|group| **group != NamedGroup::X25519).copied(),
            Some(groups) => policy.groups.iter().find(|group| groups.contains(&group.code_point())).copied(),
        };
        let mut refused = None;
        for suite in policy.suites.iter().filter(|suite| self.hello.suites.contains(suite)) {
            let Some(row) = suite.row().filter(|row| row.is_legal_in(self.rules.version)) else { continue };
            let has_group = match row.key_exchange {
                KeyExchange::EcdheRsa | KeyExchange::EcdheEcdsa => group.is_some(),
                KeyExchange::DheRsa | KeyExchange::DheDss => self.dh_group().is_some(),
                _ => true,
            };
            if !has_group {
                continue;
            }
            let Some(identity) = self.identity(row.key_exchange) else { continue };
            let signs =
                matches!(self.rules.signatures, Signatures::Negotiated) && row.key_exchange.is_ephemeral();
            if signs {
                let offered = self.offered.signature_algorithms.as_deref();
                if let Err(error) = SignatureScheme::choose(policy, offered, identity.key()) {
                    refused = Some(error);
                    continue;
                }
            }
            return Ok((row, identity, group));
        }
        Err(refused.unwrap_or_else(|| Incompatible::NoSuite { peer: self.hello.suites.clone() }.into()))
    }

    /// The group of Diffie-Hellman: ours, or, if the client names some, the first of them that is no shorter.
    ///
    /// Spec: FFDHE section 4.
    pub(super) fn dh_group(&self) -> Option<&dh::Group> {
        let own = &self.config.dh_group;
        let named = |groups: &&Vec<u16>| groups.iter().any(|group| (0x100..=0x1ff).contains(group));
        let Some(groups) = self.offered.groups.as_ref().filter(named) else { return Some(own) };
        let known = [(256, &dh::FFDHE2048), (257, &dh::FFDHE3072), (258, &dh::FFDHE4096)];
        let mut known = known.into_iter().map(|(number, group)| (number, &**group));
        known.find(|(number, group)| groups.contains(number) && group.bits() >= own.bits()).map(|(_, g)| g)
    }

    /// Of our certificates with a key of the right kind the one that has the name, or else the first.
    pub(super) fn identity(&self, key_exchange: KeyExchange) -> Option<Arc<Identity>> {
        let fits = |identity: &&Arc<Identity>| {
            let key = identity.key().public_key();
            match key_exchange {
                KeyExchange::Rsa
                | KeyExchange::RsaExport { .. }
                | KeyExchange::DheRsa
                | KeyExchange::EcdheRsa => {
                    matches!(key, PublicKey::Rsa(_))
                }
                KeyExchange::DheDss | KeyExchange::DheDssExport { .. } => matches!(key, PublicKey::Dsa(_)),
                // A client says which curves it has, for keys in certificates too. Spec: ECC section 5.1.
                KeyExchange::EcdheEcdsa => {
                    matches!(key, PublicKey::Ecdsa(key) if self.has_curve(key.curve()))
                }
            }
        };
        let mut fitting = self.config.identities.iter().filter(fits);
        let name = self.offered.server_name.as_deref();
        let named = name.and_then(|name| fitting.clone().find(|identity| identity.serves(name)));
        named.or_else(|| fitting.next()).cloned()
    }

    /// Whether the client has this curve, by its own account.
    fn has_curve(&self, curve: Curve) -> bool {
        self.offered.groups.as_ref().is_none_or(|groups| groups.contains(&curve.code_point()))
    }
}
