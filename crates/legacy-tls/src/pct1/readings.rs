//! Everything that the draft leaves open, or says in two ways, and how it is read here. Each point is one item.
//!
//! Nothing that speaks PCT was there to be asked; docs/decisions/0017 says more.
//!
//! Spec: PCT1.

use crypto::hash::Hash;
use crypto::public_key::SignatureScheme;
use wire::{DecodeError, Reader};

use super::error::ErrorCode;
use super::specs::signature;

/// What sequence numbers do when a handshake is done again on a connection.
///
/// The draft sets them to zero "before the first (handshake) record is sent or received in a PCT connection", and a second
/// handshake is on the same connection; only exchanges with tokens are said to begin again. Against this reading speaks
/// that a redo is also called the way to avoid that a number wraps, which it then is not: with it a connection ends when
/// 2^32 records were sent.
///
/// Spec: PCT1 sections 4.2 and 4.3.2.
pub(crate) const SEQUENCE_CONTINUES_OVER_A_REDO: bool = true;

/// The certificate in the client's two keys when a session is taken up again: none.
///
/// The formula hashes SH_CERTIFICATE_DATA, and that is empty in such a SERVER_HELLO. A server of ours also takes the
/// certificate of the session, since it can tell by the client's first MAC which of the two it is.
///
/// Spec: PCT1 sections 5.2.2 and 5.3.1.
pub(crate) const CERTIFICATE_OF_A_RESTART: &[u8] = &[];

/// How many bytes of clear key a client sends at least for a shortened key: 11, the 88 bits that SSL 2.0 sends beside 40.
/// It is brought up to a multiple of the parts. The draft leaves the number to the client, so a server takes any.
///
/// Spec: PCT1 section 5.3.2; SSL2 section 2.6.
pub(crate) const CLEAR_KEY_LEN: usize = 11;

/// The length of the clear key that is sent for `parts` parts.
pub(crate) const fn clear_key_len(parts: usize) -> usize {
    CLEAR_KEY_LEN.next_multiple_of(if parts == 0 { 1 } else { parts })
}

/// The clear key of a session that is taken up again: that of the session, since no message could carry another.
///
/// Spec: PCT1 sections 5.2.3 and 5.3.2.
pub(crate) const fn clear_key_of_restart(of_session: &[u8]) -> &[u8] {
    of_session
}

/// The key fields of a CLIENT_MASTER_KEY that only authenticates the client of a restart are empty: the draft shows only
/// certificate and response there. The prelude stays, as it is what the response signs.
///
/// Spec: PCT1 sections 5.1 and 5.2.3.
pub(crate) const RESTART_SENDS_NO_KEYS: bool = true;

/// The first initialization vector of what client or server sends: KEY_ARG in both directions, since there is one, and none
/// of the two is named.
///
/// Spec: PCT1 section 5.3.2.
pub(crate) const fn first_iv(key_arg: &[u8], _is_client: bool) -> &[u8] {
    key_arg
}

/// Whether a KEY_ARG of `len` bytes is accepted where the cipher has no key, so that there is nothing to begin: ours is
/// empty then, but "a block cipher (any cipher except RC4)" can be read so that one is sent.
///
/// Spec: PCT1 section 5.3.2.
pub(crate) const fn takes_key_arg_without_cipher(len: usize) -> bool {
    len == 0 || len == 8
}

/// A PADDING_LENGTH of a whole block or more is refused: it "must be the minimum value".
///
/// Spec: PCT1 section 4.2.
pub(crate) const MOST_PADDING: usize = 7;

/// The algorithm of a signature type. Signatures with RSA have the DigestInfo of PKCS #1 around the hash; "must conform to PKCS#1, block type 1" says no more.
/// Those with DSA are a DER SEQUENCE of r and s, as everywhere else at the time.
///
/// Spec: PCT1 section 5.3.5.
pub(crate) const fn signature_algorithm(code: u16) -> Option<SignatureScheme> {
    Some(match code {
        signature::RSA_MD5 => SignatureScheme::RsaPkcs1(Hash::Md5),
        signature::RSA_SHA => SignatureScheme::RsaPkcs1(Hash::Sha1),
        signature::DSA_SHA => SignatureScheme::Dsa(Hash::Sha1),
        _ => return None,
    })
}

/// X509_CHAIN, which is not in the draft but which Schannel offered, is read as certificates in DER, one behind the other,
/// the leaf first: the smallest step from X509, and one certificate alone then looks the same in both.
pub(crate) fn decode_chain(data: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    const FIELD: &str = "CERTIFICATE_DATA";
    const MOST: usize = 16;
    let (mut chain, mut at) = (Vec::new(), Reader::new(data));
    while at.remaining() > 0 {
        let mut header = at.clone();
        if header.u8(FIELD)? != 0x30 || chain.len() == MOST {
            return Err(DecodeError::illegal(FIELD));
        }
        let len = match header.u8(FIELD)? {
            short @ 0..=0x7f => usize::from(short),
            long @ 0x81..=0x83 => {
                let bytes = header.take(FIELD, usize::from(long & 0x7f))?;
                bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte))
            }
            _ => return Err(DecodeError::illegal(FIELD)),
        };
        let whole = at.remaining() - header.remaining() + len;
        chain.push(at.take(FIELD, whole)?.to_vec());
    }
    Ok(chain)
}

/// The other way.
pub(crate) fn encode_chain(chain: &[Vec<u8>]) -> Vec<u8> {
    chain.concat()
}

/// PCT's challenge of 32 bytes from the challenge of an SSL 2.0 hello, of 16 to 32: what is missing is filled with the
/// complement of the challenge, from its first byte on. We send 32, where nothing is missing.
///
/// No document has this. That a receiver stores the complement of bytes of the hello is seen in public traffic of 2004.
pub(crate) fn extend_challenge(challenge: &[u8]) -> [u8; 32] {
    let mut extended = [0; 32];
    let filler = challenge.iter().cycle().map(|byte| !byte);
    extended.iter_mut().zip(challenge.iter().copied().chain(filler)).for_each(|(to, from)| *to = from);
    extended
}

/// The error for a client certificate that is refused is BAD_CERTIFICATE, as the text on CLIENT_MASTER_KEY lists them in
/// the order of the checks; the list of errors also puts a bad certificate under CLIENT_AUTH_FAILED.
///
/// Spec: PCT1 sections 5.2.3 and 5.4.
pub(crate) const REFUSED_CERTIFICATE: ErrorCode = ErrorCode::BAD_CERTIFICATE;

/// A server that requires a client certificate asks for it again when a session is taken up; one for which it is optional
/// does not. The draft lets the server choose.
///
/// Spec: PCT1 section 5.2.2.
pub(crate) const A_REQUIRED_CERTIFICATE_IS_ASKED_FOR_AGAIN: bool = true;
