//! ServerKeyExchange and ClientKeyExchange: how the premaster secret is agreed.
//!
//! Spec: TLS12 sections 7.4.3 and 7.4.7; ECC sections 5.4 and 5.7.

use crypto::constant_time::{Mask, ct_copy_if, ct_eq_mask};
use crypto::dh;
use crypto::ecdh::{self, NamedGroup};
use crypto::random::Random;
use crypto::rsa;
use wire::{DecodeError, EncodeError, Reader, Writer};
use zeroize::Zeroizing;

use crate::config::Policy;
use crate::error::{Error, Misbehaved, Refused};
use crate::tls::cipher_suites::KeyExchange;
use crate::tls::versions::{ProtocolVersion, Rules};

/// How strong a key exchange was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchangeStrength {
    /// An RSA key encrypted the premaster secret.
    Rsa {
        /// Its length, in bits.
        bits: u32,
    },
    /// Diffie-Hellman.
    Dh {
        /// The length of the group, in bits.
        bits: u32,
    },
    /// Diffie-Hellman on an elliptic curve.
    Ecdh {
        /// Which, by its number.
        group: u16,
    },
}

/// The parameters of a ServerKeyExchange.
///
/// ```text
/// RSA     modulus 2 + n, exponent 2 + n
/// DHE     p 2 + n, g 2 + n, Ys 2 + n
/// ECDHE   curve_type 1 (3 = named_curve), namedcurve 2, public 1 + n
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerParams<'a> {
    Rsa { modulus: &'a [u8], exponent: &'a [u8] },
    Dh { p: &'a [u8], g: &'a [u8], public: &'a [u8] },
    Ecdh { group: u16, public: &'a [u8] },
}

const NAMED_CURVE: u8 = 3;

impl<'a> ServerParams<'a> {
    pub(crate) fn decode(key_exchange: KeyExchange, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match key_exchange {
            KeyExchange::Rsa | KeyExchange::RsaExport { .. } => Self::Rsa {
                modulus: reader.opaque_u16("ServerKeyExchange.rsa_modulus")?,
                exponent: reader.opaque_u16("ServerKeyExchange.rsa_exponent")?,
            },
            KeyExchange::DheRsa | KeyExchange::DheDss | KeyExchange::DheDssExport { .. } => Self::Dh {
                p: reader.opaque_u16("ServerKeyExchange.dh_p")?,
                g: reader.opaque_u16("ServerKeyExchange.dh_g")?,
                public: reader.opaque_u16("ServerKeyExchange.dh_Ys")?,
            },
            KeyExchange::EcdheRsa | KeyExchange::EcdheEcdsa => {
                if reader.u8("ServerKeyExchange.curve_type")? != NAMED_CURVE {
                    return Err(DecodeError::illegal("ServerKeyExchange.curve_type"));
                }
                Self::Ecdh {
                    group: reader.u16("ServerKeyExchange.namedcurve")?,
                    public: reader.opaque_u8("ServerKeyExchange.public")?,
                }
            }
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Rsa { modulus, exponent } => {
                writer.opaque_u16("ServerKeyExchange.rsa_modulus", modulus)?;
                writer.opaque_u16("ServerKeyExchange.rsa_exponent", exponent)
            }
            Self::Dh { p, g, public } => {
                writer.opaque_u16("ServerKeyExchange.dh_p", p)?;
                writer.opaque_u16("ServerKeyExchange.dh_g", g)?;
                writer.opaque_u16("ServerKeyExchange.dh_Ys", public)
            }
            Self::Ecdh { group, public } => {
                writer.u8(NAMED_CURVE);
                writer.u16(*group);
                writer.opaque_u8("ServerKeyExchange.public", public)
            }
        }
    }
}

/// What a client encrypts the premaster secret to, or answers a share with.
pub(crate) enum ServerShare {
    Rsa(rsa::PublicKey),
    Dh { group: dh::Group, public: Vec<u8> },
    Ecdh { group: NamedGroup, public: Vec<u8> },
}

impl ServerShare {
    /// Checks the parameters of a server against suite and policy.
    pub(crate) fn check(
        params: &ServerParams<'_>,
        key_exchange: KeyExchange,
        policy: &Policy,
    ) -> Result<Self, Error> {
        match *params {
            ServerParams::Rsa { modulus, exponent } => {
                let key = rsa::PublicKey::from_components(modulus, exponent)
                    .map_err(|_| Misbehaved::IllegalParameter("the RSA key of ServerKeyExchange"))?;
                check_export_key(key_exchange, key.bits())?;
                Ok(Self::Rsa(key))
            }
            ServerParams::Dh { p, g, public } => {
                let group = dh::Group::from_components(p, g)
                    .map_err(|_| Misbehaved::IllegalParameter("the group of ServerKeyExchange"))?;
                let bits = group.bits();
                if let KeyExchange::DheDssExport { bits: maximum } = key_exchange {
                    if bits > maximum {
                        return Err(Misbehaved::ExportKeyTooLong { bits }.into());
                    }
                } else if bits < policy.dh_minimum_bits {
                    return Err(Refused::SmallGroup { bits, minimum: policy.dh_minimum_bits }.into());
                }
                Ok(Self::Dh { group, public: public.to_vec() })
            }
            ServerParams::Ecdh { group, public } => {
                let offered = policy.groups.iter().find(|own| own.code_point() == group);
                let group = *offered.ok_or(Misbehaved::IllegalParameter("a curve that was not offered"))?;
                Ok(Self::Ecdh { group, public: public.to_vec() })
            }
        }
    }

    pub(crate) fn strength(&self) -> KeyExchangeStrength {
        match self {
            Self::Rsa(key) => KeyExchangeStrength::Rsa { bits: key.bits() },
            Self::Dh { group, .. } => KeyExchangeStrength::Dh { bits: group.bits() },
            Self::Ecdh { group, .. } => KeyExchangeStrength::Ecdh { group: group.code_point() },
        }
    }
}

/// An export suite has a short key, whether the certificate's or one of its own; another suite has no such bound.
pub(crate) fn check_export_key(key_exchange: KeyExchange, bits: u32) -> Result<(), Error> {
    match key_exchange {
        KeyExchange::RsaExport { bits: maximum } if bits > maximum => {
            Err(Misbehaved::ExportKeyTooLong { bits }.into())
        }
        _ => Ok(()),
    }
}

/// The premaster secret. The length of that of Diffie-Hellman is not secret.
pub(crate) type Premaster = Zeroizing<Vec<u8>>;

/// A client's part: what it sends, and the premaster secret.
pub(crate) fn client_key_exchange(
    share: &ServerShare,
    hello_version: ProtocolVersion,
    rules: &Rules,
    random: &dyn Random,
) -> Result<(Vec<u8>, Premaster), Error> {
    let no_key = |_| Error::Internal("no key could be made for the key exchange");
    let mut writer = Writer::new();
    match share {
        ServerShare::Rsa(key) => {
            // The version of the hello, not the one that was chosen: a rollback shows. Spec: TLS12 section 7.4.7.1.
            let mut premaster = Zeroizing::new(vec![0; 48]);
            random.fill(&mut premaster)?;
            set_version(&mut premaster, hello_version);
            let encrypted = key.encrypt_pkcs1(&premaster, random).map_err(|_| {
                Misbehaved::IllegalParameter("an RSA key that is too short for a premaster secret")
            })?;
            if rules.premaster_has_length {
                writer.opaque_u16("ClientKeyExchange.encrypted_pre_master_secret", &encrypted)?;
            } else {
                writer.bytes(&encrypted);
            }
            Ok((writer.into_vec(), premaster))
        }
        ServerShare::Dh { group, public } => {
            let own = dh::EphemeralKey::generate(group, random).map_err(|_| no_key(()))?;
            writer.opaque_u16("ClientKeyExchange.dh_Yc", &own.public_value())?;
            let secret = own.agree(public).map_err(|_| Misbehaved::BadKeyShare)?;
            Ok((writer.into_vec(), Zeroizing::new(secret.as_ref().to_vec())))
        }
        ServerShare::Ecdh { group, public } => {
            let own = ecdh::EphemeralKey::generate(*group, random).map_err(|_| no_key(()))?;
            writer.opaque_u8("ClientKeyExchange.ecdh_Yc", &own.public_value())?;
            let secret = own.agree(public).map_err(|_| Misbehaved::BadKeyShare)?;
            Ok((writer.into_vec(), Zeroizing::new(secret.as_ref().to_vec())))
        }
    }
}

fn set_version(premaster: &mut [u8], version: ProtocolVersion) {
    if let Some(first) = premaster.first_chunk_mut() {
        *first = version.0.to_be_bytes();
    }
}

/// A server's half of a key exchange, waiting for the client's.
pub(crate) enum ServerSecret {
    /// The certificate's key.
    Rsa,
    /// A short key of an export suite.
    EphemeralRsa(rsa::PrivateKey),
    Dh(dh::EphemeralKey),
    Ecdh(ecdh::EphemeralKey),
}

/// The premaster secret under an RSA key.
///
/// Whatever is wrong with it (padding, length, version) gives a random one, in the same time and by the same path: the
/// handshake then fails at Finished, and tells nothing (Bleichenbacher, ROBOT). The version is the one of the hello; the
/// old mistake of sending the negotiated one is not tolerated, since that would be one question more to ask an oracle.
///
/// Spec: TLS12 section 7.4.7.1.
pub(crate) fn decrypt_premaster(
    key: &rsa::PrivateKey,
    body: &[u8],
    hello_version: ProtocolVersion,
    rules: &Rules,
    random: &dyn Random,
) -> Result<Premaster, Error> {
    let mut reader = Reader::new(body);
    let encrypted = if rules.premaster_has_length {
        reader.opaque_u16("ClientKeyExchange.encrypted_pre_master_secret")?
    } else {
        reader.rest()
    };
    reader.finish("ClientKeyExchange")?;
    let mut fallback = Zeroizing::new(vec![0; 48]);
    random.fill(&mut fallback)?;
    set_version(&mut fallback, hello_version);
    let mut premaster = fallback.clone();
    // What fails here is known to everybody: the length of the ciphertext, or a number that is no residue.
    let _good = key.decrypt_pkcs1(encrypted, &mut premaster, random).map_err(|error| match error {
        rsa::Error::Ciphertext => Error::from(Misbehaved::BadPremaster),
        _ => Error::Internal("the RSA key could not decrypt"),
    })?;
    let version = premaster.get(..2).unwrap_or_default();
    let right: Mask = ct_eq_mask(version, &hello_version.0.to_be_bytes());
    ct_copy_if(!right, &mut premaster, &fallback);
    Ok(premaster)
}

/// The premaster secret from a client's share of Diffie-Hellman.
pub(crate) fn agree(secret: ServerSecret, body: &[u8]) -> Result<Premaster, Error> {
    let mut reader = Reader::new(body);
    let bad = |_| Error::from(Misbehaved::BadKeyShare);
    match secret {
        ServerSecret::Dh(own) => {
            let public = reader.opaque_u16("ClientKeyExchange.dh_Yc")?;
            reader.finish("ClientKeyExchange")?;
            let secret = own.agree(public).map_err(|_| bad(()))?;
            Ok(Zeroizing::new(secret.as_ref().to_vec()))
        }
        ServerSecret::Ecdh(own) => {
            let public = reader.opaque_u8("ClientKeyExchange.ecdh_Yc")?;
            reader.finish("ClientKeyExchange")?;
            let secret = own.agree(public).map_err(|_| bad(()))?;
            Ok(Zeroizing::new(secret.as_ref().to_vec()))
        }
        ServerSecret::Rsa | ServerSecret::EphemeralRsa(_) => Err(Error::Internal("RSA has no share")),
    }
}
