//! A session as bytes, for whoever keeps it outside this process or wants it small.
//!
//! Its certificates stand apart: many sessions have the same ones, and whoever keeps them may keep each once.
//!
//! ```text
//! format                  1   FORMAT
//! version                 2   as on the wire
//! suite                   2
//! flags                   1   1 = extended_master_secret, 2 = of PCT
//! created                 8   seconds since the Unix epoch
//! master_secret          48
//! id                     1+n
//! ticket                 2+n
//! ticket_expires         8   seconds since the Unix epoch, 0: nobody says
//! server_name            1+n  0 bytes: none
//! peer_certificates       1   how many of the certificates are the peer's chain
//!   of PCT:
//! cipher                  4   type, bits of key, bits of the MAC's key less 64
//! hash                    2
//! certificate_type        2
//! asked                   1
//! client_certificate_type 2
//! client_signature_type   2
//! clear_key              1+n  its two certificates follow the chain
//! ```

use wire::{DecodeError, EncodeError, Reader, Writer};
use zeroize::Zeroizing;

use super::{MasterSecret, Session};
use crate::pct1::handshake::Parameters;
use crate::pct1::specs::CipherSpec;
use crate::tls::cipher_suites::CipherSuite;
use crate::tls::versions::ProtocolVersion;

/// What the first byte is. It changes with every change of the format: who does not know it has no session.
const FORMAT: u8 = 2;

const EXTENDED_MASTER_SECRET: u8 = 1;
const OF_PCT: u8 = 2;

/// A session in two parts, each to be kept by its own rules.
pub struct StoredSession {
    /// Everything but the certificates. Secret.
    pub body: Zeroizing<Vec<u8>>,
    /// Certificates, in the order in which [`Session::restore`] wants them back.
    pub certificates: Vec<Vec<u8>>,
}

impl Session {
    /// The session in a form that can be kept elsewhere.
    ///
    /// # Errors
    ///
    /// A peer gave it something that is longer than any honest one does.
    pub fn store(&self) -> Result<StoredSession, EncodeError> {
        // A vector that grows leaves copies of the secret behind.
        let clear_key = self.pct1.as_ref().map_or(0, |pct1| pct1.clear_key.len());
        let names = self.server_name.as_ref().map_or(0, String::len);
        let mut writer = Writer::with_capacity(104 + self.id.len() + self.ticket.len() + names + clear_key);
        let mut certificates = self.peer_chain.clone();
        self.write(&mut writer).map(|()| {
            if let Some(pct1) = &self.pct1 {
                certificates.extend([pct1.certificate.clone(), pct1.client_certificate.clone()]);
            }
            StoredSession { body: Zeroizing::new(writer.into_vec()), certificates }
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.u8(FORMAT);
        writer.u16(self.version.0);
        writer.u16(self.suite.0);
        let flag = |set, flag| if set { flag } else { 0 };
        let flags =
            flag(self.extended_master_secret, EXTENDED_MASTER_SECRET) | flag(self.pct1.is_some(), OF_PCT);
        writer.u8(flags);
        writer.u64(self.created);
        writer.bytes(&self.master_secret.0);
        writer.opaque_u8("Session.id", &self.id)?;
        writer.opaque_u16("Session.ticket", &self.ticket)?;
        writer.u64(self.ticket_expires.unwrap_or(0));
        writer.opaque_u8(
            "Session.server_name",
            self.server_name.as_ref().map_or(&[], |name| name.as_bytes()),
        )?;
        let length = self.peer_chain.len();
        let too_many = EncodeError { field: "Session.peer_chain", length, max: usize::from(u8::MAX) };
        writer.u8(u8::try_from(length).map_err(|_| too_many)?);
        let Some(pct1) = &self.pct1 else { return Ok(()) };
        writer.bytes(&pct1.cipher.to_bytes());
        writer.u16(pct1.hash);
        writer.u16(pct1.certificate_type);
        writer.u8(u8::from(pct1.asked));
        writer.u16(pct1.client_certificate_type);
        writer.u16(pct1.client_signature_type);
        writer.opaque_u8("Session.clear_key", &pct1.clear_key)
    }

    /// The session of what [`store`](Self::store) made.
    ///
    /// # Errors
    ///
    /// It is of another format, or damaged.
    pub fn restore(body: &[u8], certificates: &[Vec<u8>]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        if reader.u8("Session.format")? != FORMAT {
            return Err(DecodeError::illegal("Session.format"));
        }
        let version = ProtocolVersion(reader.u16("Session.version")?);
        let suite = CipherSuite(reader.u16("Session.suite")?);
        let flags = reader.u8("Session.flags")?;
        let created = reader.u64("Session.created")?;
        let master_secret = MasterSecret(reader.array("Session.master_secret")?);
        let id = reader.opaque_u8("Session.id")?.to_vec();
        let ticket = reader.opaque_u16("Session.ticket")?.to_vec();
        let ticket_expires = Some(reader.u64("Session.ticket_expires")?).filter(|expires| *expires != 0);
        let name = reader.opaque_u8("Session.server_name")?.to_vec();
        let name = String::from_utf8(name).map_err(|_| DecodeError::illegal("Session.server_name"))?;
        let length = usize::from(reader.u8("Session.peer_certificates")?);
        let (chain, others) =
            certificates.split_at_checked(length).ok_or(DecodeError::illegal("Session.peer_certificates"))?;
        let pct1 = match (flags & OF_PCT, others) {
            (0, []) => None,
            (OF_PCT, [own, client]) => Some(Box::new(parameters(&mut reader, own, client)?)),
            _ => return Err(DecodeError::illegal("Session.peer_certificates")),
        };
        reader.finish("Session")?;
        Ok(Self {
            id,
            ticket,
            ticket_expires,
            version,
            suite,
            master_secret,
            extended_master_secret: flags & EXTENDED_MASTER_SECRET != 0,
            peer_chain: chain.to_vec(),
            server_name: Some(name).filter(|name| !name.is_empty()),
            created,
            pct1,
        })
    }
}

fn parameters(reader: &mut Reader<'_>, own: &[u8], client: &[u8]) -> Result<Parameters, DecodeError> {
    Ok(Parameters {
        cipher: CipherSpec::from_bytes(reader.array("Session.cipher")?),
        hash: reader.u16("Session.hash")?,
        certificate_type: reader.u16("Session.certificate_type")?,
        asked: reader.u8("Session.asked")? != 0,
        client_certificate_type: reader.u16("Session.client_certificate_type")?,
        client_signature_type: reader.u16("Session.client_signature_type")?,
        clear_key: reader.opaque_u8("Session.clear_key")?.to_vec(),
        certificate: own.to_vec(),
        client_certificate: client.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(of_pct: bool) -> Session {
        let parameters = Parameters {
            cipher: CipherSpec { cipher: 4, bits: 128, mac_bits_less_64: 64 },
            hash: 1,
            certificate_type: 1,
            certificate: vec![1; 700],
            asked: true,
            client_certificate_type: 1,
            client_signature_type: 2,
            client_certificate: vec![2; 600],
            clear_key: vec![3; 11],
        };
        Session {
            id: (0..32).collect(),
            ticket: vec![7; 200],
            ticket_expires: (!of_pct).then_some(1_234_567_999),
            version: ProtocolVersion::TLS12,
            suite: CipherSuite(0x002f),
            master_secret: MasterSecret([9; 48]),
            extended_master_secret: true,
            peer_chain: vec![vec![4; 900], vec![5; 800]],
            server_name: Some("example.test".to_owned()),
            created: 1_234_567_890,
            pct1: of_pct.then(|| Box::new(parameters)),
        }
    }

    #[test]
    fn a_session_is_the_same_after_it_was_stored() {
        for of_pct in [false, true] {
            let session = session(of_pct);
            let stored = session.store().unwrap();
            let again = Session::restore(&stored.body, &stored.certificates).unwrap();
            assert_eq!(again.id, session.id);
            assert_eq!((&again.ticket, again.ticket_expires), (&session.ticket, session.ticket_expires));
            assert_eq!((again.version, again.suite), (session.version, session.suite));
            assert_eq!(again.master_secret.0, session.master_secret.0);
            assert!(again.extended_master_secret);
            assert_eq!(again.peer_chain, session.peer_chain);
            assert_eq!(again.server_name, session.server_name);
            assert_eq!(again.created, session.created);
            assert_eq!(again.pct1, session.pct1);
        }
    }

    #[test]
    fn what_is_cut_or_longer_or_of_another_format_is_no_session() {
        for of_pct in [false, true] {
            let StoredSession { body, certificates } = session(of_pct).store().unwrap();
            for end in 0..body.len() {
                assert!(Session::restore(&body[..end], &certificates).is_err(), "{end}");
            }
            let longer = [body.as_slice(), &[0]].concat();
            assert!(Session::restore(&longer, &certificates).is_err());
            let mut newer = body.clone();
            newer[0] = FORMAT + 1;
            assert!(Session::restore(&newer, &certificates).is_err());
        }
    }

    #[test]
    fn certificates_that_are_missing_or_too_many_make_no_session() {
        for of_pct in [false, true] {
            let StoredSession { body, certificates } = session(of_pct).store().unwrap();
            assert!(Session::restore(&body, &certificates[1..]).is_err());
            let more = [certificates.as_slice(), &[vec![1]]].concat();
            assert!(Session::restore(&body, &more).is_err());
        }
    }

    #[test]
    fn a_server_name_that_is_too_long_is_refused() {
        let mut session = session(false);
        session.server_name = Some("a".repeat(256));
        assert!(session.store().is_err());
    }
}
