//! The master key under the server's RSA key.
//!
//! ```text
//! encrypted    00 02, random bytes, [03 eight times,] 00, the secret part of the master key
//! ```
//!
//! Spec: SSL2 section 5.5.2; TLS10 appendix E.2.

use crypto::hash::Hash;
use crypto::mac::hmac;
use crypto::random::Random;
use crypto::rsa;
use zeroize::Zeroizing;

use super::cipher_kinds::KindRow;
use super::keys::Master;
use super::messages::ClientMasterKey;
use crate::config::{ExportKeys, Policy};
use crate::error::{Error, Misbehaved};
use crate::tls::versions::ProtocolVersion;

/// What a client that has a newer protocol puts at the end of its padding, so that a server that has one too knows that
/// somebody between them took it away.
///
/// Spec: TLS10 appendix E.2.
const ROLLBACK_MARK: [u8; 8] = [3; 8];

/// Whether SSL 3.0 or TLS is spoken beside this one. PCT is no such protocol: who has it alone puts no mark.
fn has_newer(policy: &Policy) -> bool {
    policy.highest >= ProtocolVersion::SSL30
}

/// Makes a master key, and the message that takes it to the server.
pub(crate) fn make_master_key(
    kind: &'static KindRow,
    server: &rsa::PublicKey,
    policy: &Policy,
    random: &dyn Random,
) -> Result<(Master, ClientMasterKey<'static>), Error> {
    let mut key = Zeroizing::new(vec![0; kind.key_len]);
    random.fill(&mut key)?;
    let mut key_arg = vec![0; kind.key_arg_len()];
    random.fill(&mut key_arg)?;
    let (clear, secret) = key.split_at_checked(kind.clear_len()).unwrap_or_default();
    let mark: &[u8] = if has_newer(policy) { &ROLLBACK_MARK } else { &[] };
    let encrypted = server
        .encrypt_pkcs1_ending(secret, mark, random)
        .map_err(|_| Misbehaved::IllegalParameter("an RSA key that is too short for a master key"))?;
    let message = ClientMasterKey {
        kind: kind.kind,
        clear_key: clear.to_vec().into(),
        encrypted_key: encrypted.into(),
        key_arg: key_arg.clone().into(),
    };
    Ok((Master::new(kind, &key, &key_arg), message))
}

/// The master key that a client sent; its lengths in clear are right.
///
/// Whatever is wrong with the encrypted part (padding, length) gives another key, in the same time and by the same path.
/// That key is always the same for the same message, and nobody but us can know it: a client that asks twice, and finds out
/// both keys since they have 40 bits, learns nothing from their being equal (DROWN). One thing is told, that somebody has
/// rolled the connection back, and only of a message that is right otherwise.
///
/// Spec: SSL2 section 5.5.2; TLS10 appendix E.2.
pub(crate) fn read_master_key(
    message: &ClientMasterKey<'_>,
    kind: &'static KindRow,
    key: &rsa::PrivateKey,
    secrets: &ExportKeys,
    policy: &Policy,
    random: &dyn Random,
) -> Result<Master, Error> {
    let [.., length] = kind.secret_len.to_be_bytes();
    let rejection = secrets.rejection(random)?;
    // With the length, or a key of one kind would be the beginning of that of another.
    let instead = hmac(Hash::Sha256, rejection, &[&[length], &message.encrypted_key]);
    let mut secret = Zeroizing::new(instead.as_ref().get(..kind.secret_len).unwrap_or_default().to_vec());
    let found =
        key.decrypt_pkcs1(&message.encrypted_key, &mut secret, random).map_err(|error| match error {
            rsa::Error::Ciphertext => Error::from(Misbehaved::BadPremaster),
            _ => Error::Internal("the RSA key could not decrypt"),
        })?;
    if has_newer(policy) && (found.good & found.last8_are_3).reveal() {
        return Err(Misbehaved::Downgraded.into());
    }
    let whole = Zeroizing::new([&message.clear_key, secret.as_slice()].concat());
    Ok(Master::new(kind, &whole, &message.key_arg))
}
