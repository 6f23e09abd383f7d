//! The blocks that PKCS #1 makes of messages and hashes.

use zeroize::Zeroizing;

use super::{Decrypted, Error};
use crate::constant_time::{Mask, ct_copy_if, ct_eq, ct_eq_usize};
use crate::hash::Hash;
use crate::random::{Random, RandomError};
use crate::signature::{SigningError, VerificationError};

/// The least number of bytes between the two first bytes of a block and its zero.
pub(super) const MIN_PADDING: usize = 8;

/// What is signed of a message whose hash is `digest`: a SEQUENCE of the hash's AlgorithmIdentifier, with NULL for
/// parameters, and the hash as OCTET STRING.
///
/// Spec: PKCS1 section 9.2, note 1.
#[must_use]
pub fn digest_info(hash: Hash, digest: &[u8]) -> Vec<u8> {
    let algorithm: &[u8] = match hash {
        // 1.2.840.113549.2.5
        Hash::Md5 => &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x05],
        // 1.3.14.3.2.26
        Hash::Sha1 => &[0x2B, 0x0E, 0x03, 0x02, 0x1A],
        // 2.16.840.1.101.3.4.2.1 to .3, and .6
        Hash::Sha256 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
        Hash::Sha384 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
        Hash::Sha512 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
        Hash::Sha512Of256 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x06],
    };
    use crate::asn1::{NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element};
    let algorithm = element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[algorithm]), &[NULL, 0]]);
    element(SEQUENCE, &[&algorithm, &element(OCTET_STRING, &[digest])])
}

/// EMSA-PKCS1-v1_5 of something that has room.
///
/// ```text
/// 00 01 · FF, eight or more · 00 · encoded
/// ```
///
/// Spec: PKCS1 section 9.2.
pub(super) fn signature_block(length: usize, encoded: &[u8]) -> Vec<u8> {
    let mut block = vec![0xFF; length.saturating_sub(encoded.len() + 1)];
    block.iter_mut().zip([0, 1]).for_each(|(to, byte)| *to = byte);
    block.push(0);
    block.extend_from_slice(encoded);
    block
}

/// EME-PKCS1-v1_5.
///
/// ```text
/// 00 02 · random bytes that are not zero, eight or more with the tail · tail · 00 · message
/// ```
///
/// Spec: PKCS1 section 7.2.1, step 2.
pub(super) fn encryption_block(
    length: usize,
    message: &[u8],
    tail: &[u8],
    random: &dyn Random,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let taken = message.len().saturating_add(3);
    let padding =
        length.checked_sub(taken).filter(|padding| *padding >= MIN_PADDING).ok_or(Error::TooLong)?;
    let drawn = padding.checked_sub(tail.len()).ok_or(Error::TooLong)?;
    if tail.contains(&0) {
        return Err(Error::TooLong);
    }
    let mut block = Zeroizing::new(Vec::with_capacity(length));
    block.extend([0, 2]);
    block.extend_from_slice(&not_zero(drawn, random)?);
    block.extend_from_slice(tail);
    block.push(0);
    block.extend_from_slice(message);
    Ok(block)
}

/// Random bytes, none of them zero.
fn not_zero(length: usize, random: &dyn Random) -> Result<Zeroizing<Vec<u8>>, RandomError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    let mut drawn = Zeroizing::new(vec![0; length]);
    // A source that works leaves one byte in 256 for the next round: one that yields nothing else than zeros is broken.
    for _ in 0..64 {
        let missing = length - bytes.len();
        if missing == 0 {
            return Ok(bytes);
        }
        let drawn = drawn.get_mut(..missing).unwrap_or_default();
        random.fill(drawn)?;
        bytes.extend(drawn.iter().filter(|byte| **byte != 0));
    }
    if bytes.len() == length { Ok(bytes) } else { Err(RandomError) }
}

/// Takes the message that `block` holds if it is exactly as long as `out`.
///
/// Since the length is known, so is where each byte of the padding must lie: nothing is searched, every byte of the block
/// is looked at, and what decides is a mask from the first comparison to the last copy.
///
/// Spec: PKCS1 section 7.2.2, step 3.
pub(super) fn decrypted(block: &[u8], out: &mut [u8]) -> Decrypted {
    let (padded, message) = block.split_at_checked(block.len().saturating_sub(out.len())).unwrap_or_default();
    let last8 = padded.len().saturating_sub(9)..padded.len().saturating_sub(1);
    let is = |byte: &u8, value: usize| ct_eq_usize(usize::from(*byte), value);
    let (mut good, mut last8_are_3) = (Mask::TRUE, Mask::TRUE);
    for (index, byte) in padded.iter().enumerate() {
        good &= match index {
            0 => is(byte, 0),
            1 => is(byte, 2),
            index if index + 1 == padded.len() => is(byte, 0),
            _ => !is(byte, 0),
        };
        if last8.contains(&index) {
            last8_are_3 &= is(byte, 3);
        }
    }
    ct_copy_if(good, out, message);
    Decrypted { good, last8_are_3 }
}

/// EMSA-PSS for a modulus of `modulus_bits`, as long as the modulus.
///
/// ```text
/// maskedDB · H · BC        H = Hash(eight zeros, digest, salt); DB = zeros · 01 · salt, masked with MGF1(H)
/// ```
///
/// Spec: PKCS1 section 9.1.1.
pub(super) fn pss_block(
    hash: Hash,
    digest: &[u8],
    modulus_bits: u32,
    random: &dyn Random,
) -> Result<Vec<u8>, SigningError> {
    let shape = PssShape::new(hash, modulus_bits).ok_or(SigningError::KeyDoesNotFit)?;
    if digest.len() != hash.output_len() {
        return Err(SigningError::KeyDoesNotFit);
    }
    let mut salt = vec![0; hash.output_len()];
    random.fill(&mut salt)?;
    let h = pss_hash(hash, digest, &salt);
    let mut db = vec![0; shape.zeros];
    db.push(1);
    db.extend_from_slice(&salt);
    mask(hash, h.as_ref(), &mut db);
    if let Some(first) = db.first_mut() {
        *first &= shape.first_byte;
    }
    let mut block = vec![0; shape.leading_zero];
    block.extend_from_slice(&db);
    block.extend_from_slice(h.as_ref());
    block.push(0xBC);
    Ok(block)
}

/// Checks the block that a PSS signature held.
///
/// Spec: PKCS1 section 9.1.2.
pub(super) fn verify_pss(
    hash: Hash,
    digest: &[u8],
    block: &[u8],
    modulus_bits: u32,
) -> Result<(), VerificationError> {
    const BAD: VerificationError = VerificationError::BadSignature;
    let shape = PssShape::new(hash, modulus_bits).ok_or(VerificationError::KeyDoesNotFit)?;
    let (leading_zero, block) = block.split_at_checked(shape.leading_zero).ok_or(BAD)?;
    let (masked, rest) = block.split_at_checked(shape.zeros + 1 + hash.output_len()).ok_or(BAD)?;
    let (h, trailer) = rest.split_at_checked(hash.output_len()).ok_or(BAD)?;
    let first = masked.first().ok_or(BAD)?;
    if leading_zero.iter().any(|byte| *byte != 0) || first & !shape.first_byte != 0 || trailer != [0xBC] {
        return Err(BAD);
    }
    let mut db = masked.to_vec();
    mask(hash, h, &mut db);
    if let Some(first) = db.first_mut() {
        *first &= shape.first_byte;
    }
    let (zeros, rest) = db.split_at_checked(shape.zeros).ok_or(BAD)?;
    let (one, salt) = rest.split_first().ok_or(BAD)?;
    if zeros.iter().any(|byte| *byte != 0) || *one != 1 || digest.len() != hash.output_len() {
        return Err(BAD);
    }
    if ct_eq(pss_hash(hash, digest, salt).as_ref(), h) { Ok(()) } else { Err(BAD) }
}

/// Where what lies in a PSS block.
struct PssShape {
    /// 1 if the block is a byte shorter than the modulus, as it is when the modulus has 8k + 1 bits.
    leading_zero: usize,
    /// The zeros at the start of DB.
    zeros: usize,
    /// The bits of the block's first byte that may be set.
    first_byte: u8,
}

impl PssShape {
    /// `None` if the modulus is too small for hash and salt.
    fn new(hash: Hash, modulus_bits: u32) -> Option<Self> {
        let bits = modulus_bits.checked_sub(1)?;
        let length = usize::try_from(bits.div_ceil(8)).ok()?;
        let zeros = length.checked_sub(2 * hash.output_len() + 2)?;
        let unused = bits.next_multiple_of(8) - bits;
        Some(Self { leading_zero: usize::from(bits % 8 == 0), zeros, first_byte: 0xFF >> unused })
    }
}

fn pss_hash(hash: Hash, digest: &[u8], salt: &[u8]) -> crate::hash::Digest {
    let mut context = hash.context();
    context.update(&[0; 8]);
    context.update(digest);
    context.update(salt);
    context.finish()
}

/// Adds MGF1 of `seed` to `data`.
///
/// Spec: PKCS1 appendix B.2.1.
fn mask(hash: Hash, seed: &[u8], data: &mut [u8]) {
    for (counter, chunk) in (0_u32..).zip(data.chunks_mut(hash.output_len())) {
        let mut context = hash.context();
        context.update(seed);
        context.update(&counter.to_be_bytes());
        chunk.iter_mut().zip(context.finish().as_ref()).for_each(|(to, byte)| *to ^= byte);
    }
}
