//! Which algorithms a certificate names.
//!
//! The identifiers are those of RFC 3279, RFC 4055, RFC 5480, RFC 5758 and RFC 8410, and those of the OSI Implementors'
//! Workshop (1.3.14.3.2) that old certificates have.
//!
//! Spec: X509 sections 4.1.1.2 and 4.1.2.7.

use crypto::hash::Hash;
use crypto::public_key::SignatureScheme;

use super::der::{self, DecodeError, Encoding, INTEGER, NULL, OBJECT_IDENTIFIER, Reader, SEQUENCE, dotted};

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
/// rsa of X.500, 2.5.8.1.1.
const OLD_RSA: &[u8] = &[0x55, 8, 1, 1];
/// dsa of the OSI Implementors' Workshop, 1.3.14.3.2.12.
const OLD_DSA: &[u8] = &[0x2b, 0x0e, 3, 2, 12];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const ED448: &[u8] = &[0x2b, 0x65, 0x71];

/// Named curves.
const CURVES: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256"),
    (&[0x2b, 0x81, 4, 0, 34], "P-384"),
    (&[0x2b, 0x81, 4, 0, 35], "P-521"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], "P-192"),
    (&[0x2b, 0x81, 4, 0, 33], "P-224"),
    (&[0x2b, 0x81, 4, 0, 10], "secp256k1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7], "brainpoolP256r1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 11], "brainpoolP384r1"),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 13], "brainpoolP512r1"),
];

/// The content of an object identifier, its name, the hash for tls-server-end-point, and what it is to `crypto`, if that
/// has it.
type Row<T> = (&'static [u8], &'static str, EndPointHash, Option<T>);

/// Signature algorithms that are whole with their identifier.
#[rustfmt::skip]
const SIGNATURES: &[Row<SignatureScheme>] = {
    use EndPointHash::{Sha256, Sha384, Sha512};
    use SignatureScheme::{Dsa, Ecdsa, Ed25519, RsaPkcs1};
    &[
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2],  "md2WithRSAEncryption",    Sha256, None),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4],  "md5WithRSAEncryption",    Sha256, Some(RsaPkcs1(Hash::Md5))),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],  "sha1WithRSAEncryption",   Sha256, Some(RsaPkcs1(Hash::Sha1))),
        (&[0x2b, 0x0e, 3, 2, 29],                         "sha1WithRSASignature",    Sha256, Some(RsaPkcs1(Hash::Sha1))),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14], "sha224WithRSAEncryption", Sha256, None),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], "sha256WithRSAEncryption", Sha256, Some(RsaPkcs1(Hash::Sha256))),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12], "sha384WithRSAEncryption", Sha384, Some(RsaPkcs1(Hash::Sha384))),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13], "sha512WithRSAEncryption", Sha512, Some(RsaPkcs1(Hash::Sha512))),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1],           "ecdsa-with-SHA1",         Sha256, Some(Ecdsa(Hash::Sha1))),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1],        "ecdsa-with-SHA224",       Sha256, None),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],        "ecdsa-with-SHA256",       Sha256, Some(Ecdsa(Hash::Sha256))),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],        "ecdsa-with-SHA384",       Sha384, Some(Ecdsa(Hash::Sha384))),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],        "ecdsa-with-SHA512",       Sha512, Some(Ecdsa(Hash::Sha512))),
        (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3],           "dsa-with-sha1",           Sha256, Some(Dsa(Hash::Sha1))),
        (&[0x2b, 0x0e, 3, 2, 27],                         "dsaWithSHA1",             Sha256, Some(Dsa(Hash::Sha1))),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2],        "dsa-with-sha256",         Sha256, Some(Dsa(Hash::Sha256))),
        (ED25519,                                         "Ed25519",                 Sha256, Some(Ed25519)),
        (ED448,                                           "Ed448",                   Sha256, None),
    ]
};

/// Hashes that the parameters of RSASSA-PSS name.
const HASHES: &[Row<Hash>] = &[
    (&[0x2b, 0x0e, 3, 2, 0x1a], "SHA-1", EndPointHash::Sha256, Some(Hash::Sha1)),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4], "SHA-224", EndPointHash::Sha256, None),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], "SHA-256", EndPointHash::Sha256, Some(Hash::Sha256)),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], "SHA-384", EndPointHash::Sha384, Some(Hash::Sha384)),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], "SHA-512", EndPointHash::Sha512, Some(Hash::Sha512)),
];

/// The hash of a certificate for the channel binding tls-server-end-point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndPointHash {
    /// SHA-256, which also stands in for MD5 and SHA-1, and for algorithms that have no hash of their own.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// What the content of an AlgorithmIdentifier says: the content of its object identifier, and its parameters.
///
/// Nothing here judges, so what is not DER is read, too.
fn parts<'a>(identifier: &'a [u8], field: &'static str) -> Result<(&'a [u8], Reader<'a>), DecodeError> {
    let mut reader = Reader::of(identifier, Encoding::Loose);
    let algorithm = reader.expect(OBJECT_IDENTIFIER, field)?.content;
    Ok((algorithm, reader))
}

/// An algorithm without a name here.
fn unnamed(algorithm: &[u8], field: &'static str) -> Result<String, DecodeError> {
    dotted(algorithm).ok_or(DecodeError::value(field))
}

/// The hash in the parameters of RSASSA-PSS: SHA-1 where none is named (RFC 4055 section 3.1).
fn pss_hash(mut parameters: Reader<'_>) -> Result<Option<&'static Row<Hash>>, DecodeError> {
    const FIELD: &str = "RSASSA-PSS-params";
    if parameters.is_empty() {
        return Ok(HASHES.first());
    }
    let mut parameters = parameters.nested(SEQUENCE, FIELD)?;
    let Some(tagged) = parameters.optional(der::constructed(0), FIELD)? else { return Ok(HASHES.first()) };
    let identifier = Reader::new(tagged).expect(SEQUENCE, FIELD)?.content;
    let (hash, _) = parts(identifier, FIELD)?;
    Ok(HASHES.iter().find(|(oid, ..)| *oid == hash))
}

/// The name of a signature algorithm, from the content of its AlgorithmIdentifier.
pub(super) fn signature_name(identifier: &[u8]) -> Result<String, DecodeError> {
    const FIELD: &str = "Certificate.signatureAlgorithm";
    let (algorithm, parameters) = parts(identifier, FIELD)?;
    if algorithm == RSASSA_PSS {
        let hash = pss_hash(parameters)?.map_or("an unknown hash", |(_, name, ..)| *name);
        return Ok(format!("RSASSA-PSS with {hash}"));
    }
    match SIGNATURES.iter().find(|(oid, ..)| *oid == algorithm) {
        Some((_, name, ..)) => Ok((*name).to_owned()),
        None => unnamed(algorithm, FIELD),
    }
}

/// The hash for tls-server-end-point, from the content of a signature's AlgorithmIdentifier.
pub(super) fn end_point_hash(identifier: &[u8]) -> Result<Option<EndPointHash>, DecodeError> {
    let (algorithm, parameters) = parts(identifier, "Certificate.signatureAlgorithm")?;
    if algorithm == RSASSA_PSS {
        return Ok(pss_hash(parameters)?.map(|(_, _, hash, _)| *hash));
    }
    let row = SIGNATURES.iter().find(|(oid, ..)| *oid == algorithm);
    Ok(row.map(|(_, _, hash, _)| *hash))
}

/// How to check a signature, from the content of its AlgorithmIdentifier; `None` for an algorithm that is not supported.
///
/// Of RSASSA-PSS only what everybody uses: MGF1 with the same hash, and a salt as long as its output.
///
/// # Errors
/// The parameters are not those of the algorithm. None at all stand for NULL, which many left out.
pub(super) fn signature_scheme(identifier: &[u8]) -> Result<Option<SignatureScheme>, DecodeError> {
    const FIELD: &str = "Certificate.signatureAlgorithm";
    let (algorithm, parameters) = parts(identifier, FIELD)?;
    if algorithm == RSASSA_PSS {
        return pss_scheme(parameters);
    }
    no_parameters(parameters, FIELD)?;
    let row = SIGNATURES.iter().find(|(oid, ..)| *oid == algorithm);
    Ok(row.and_then(|(.., scheme)| *scheme))
}

/// NULL, or nothing.
fn no_parameters(mut parameters: Reader<'_>, field: &'static str) -> Result<(), DecodeError> {
    match parameters.optional(NULL, field)? {
        None | Some([]) => parameters.finish(field),
        Some(_) => Err(DecodeError::value(field)),
    }
}

/// RSASSA-PSS-params, each field with a default.
///
/// ```text
/// [0] hashAlgorithm, [1] maskGenAlgorithm { MGF1, its hash }, [2] saltLength 20, [3] trailerField 1
/// ```
///
/// Spec: PKCS1 appendix A.2.3.
fn pss_scheme(parameters: Reader<'_>) -> Result<Option<SignatureScheme>, DecodeError> {
    const FIELD: &str = "RSASSA-PSS-params";
    const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 0x1a];
    let mut parameters = parameters;
    let mut fields = if parameters.is_empty() { parameters } else { parameters.nested(SEQUENCE, FIELD)? };
    parameters.finish(FIELD)?;
    let hash = match fields.optional(der::constructed(0), FIELD)? {
        Some(tagged) => hash_identifier(fields.within(tagged), FIELD)?,
        None => SHA1,
    };
    let mask_hash = match fields.optional(der::constructed(1), FIELD)? {
        Some(tagged) => {
            let mut tagged = fields.within(tagged);
            let (algorithm, hash) = parts(tagged.expect(SEQUENCE, FIELD)?.content, FIELD)?;
            tagged.finish(FIELD)?;
            if algorithm != MGF1 {
                return Ok(None);
            }
            hash_identifier(hash, FIELD)?
        }
        None => SHA1,
    };
    let salt_length = match fields.optional(der::constructed(2), FIELD)? {
        Some([INTEGER, 1, length @ ..0x80]) => usize::from(*length),
        Some(_) => return Ok(None),
        None => 20,
    };
    if fields.optional(der::constructed(3), FIELD)?.is_some_and(|trailer| trailer != [INTEGER, 1, 1]) {
        return Ok(None);
    }
    fields.finish(FIELD)?;
    let known = HASHES.iter().find(|(oid, ..)| *oid == hash).and_then(|(.., hash)| *hash);
    let usual = known.filter(|known| mask_hash == hash && salt_length == known.output_len());
    Ok(usual.map(SignatureScheme::RsaPss))
}

/// The object identifier of a hash, from a reader of its AlgorithmIdentifier and nothing else.
fn hash_identifier<'a>(mut reader: Reader<'a>, field: &'static str) -> Result<&'a [u8], DecodeError> {
    let (algorithm, parameters) = parts(reader.expect(SEQUENCE, field)?.content, field)?;
    no_parameters(parameters, field)?;
    reader.finish(field)?;
    Ok(algorithm)
}

/// Kind and size of a key, from its SubjectPublicKeyInfo: `RSA 2048 bits`, `ECDSA P-256`, `Ed25519`.
pub(super) fn key_name(public_key: &[u8]) -> Result<String, DecodeError> {
    const FIELD: &str = "SubjectPublicKeyInfo.algorithm";
    let (algorithm, mut parameters, key) = key_parts(public_key)?;
    match algorithm {
        RSA_ENCRYPTION | OLD_RSA => Ok(format!("RSA {} bits", modulus_bits(key)?)),
        RSASSA_PSS => Ok(format!("RSA-PSS {} bits", modulus_bits(key)?)),
        EC_PUBLIC_KEY if parameters.peek() == Some(OBJECT_IDENTIFIER) => {
            let curve = parameters.expect(OBJECT_IDENTIFIER, FIELD)?.content;
            match CURVES.iter().find(|(oid, _)| *oid == curve) {
                Some((_, name)) => Ok(format!("ECDSA {name}")),
                None => Ok(format!("ECDSA on the curve {}", unnamed(curve, FIELD)?)),
            }
        }
        EC_PUBLIC_KEY => Ok("ECDSA on a curve without a name".to_owned()),
        DSA | OLD_DSA if parameters.is_empty() => Ok("DSA".to_owned()),
        DSA | OLD_DSA => Ok(format!("DSA {} bits", prime_bits(parameters)?)),
        ED25519 => Ok("Ed25519".to_owned()),
        ED448 => Ok("Ed448".to_owned()),
        other => unnamed(other, FIELD),
    }
}

/// The size of a key whose strength depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeySize {
    /// Bits of an RSA modulus.
    Rsa(usize),
    /// Bits of a DSA prime.
    Dsa(usize),
    /// Of another kind.
    Other,
}

/// The size of a key, from its SubjectPublicKeyInfo.
pub(super) fn key_size(public_key: &[u8]) -> Result<KeySize, DecodeError> {
    let (algorithm, parameters, key) = key_parts(public_key)?;
    match algorithm {
        RSA_ENCRYPTION | OLD_RSA | RSASSA_PSS => modulus_bits(key).map(KeySize::Rsa),
        DSA | OLD_DSA => prime_bits(parameters).map(KeySize::Dsa),
        _ => Ok(KeySize::Other),
    }
}

/// What is one key and no other: hashes of it name the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Defining<'a> {
    /// The bits of the key, without its algorithm; `None` where parameters define it as much. In a group of their own making,
    /// everybody knows the private key to any DSA key (X.509 has the group in the algorithm).
    pub(super) bits: Option<&'a [u8]>,
    /// SubjectPublicKeyInfo; `None` where parameters that define the key are not in it.
    pub(super) info: Option<&'a [u8]>,
}

/// What of a SubjectPublicKeyInfo is one key and no other.
pub(super) fn defining(public_key: &[u8]) -> Result<Defining<'_>, DecodeError> {
    let (algorithm, parameters, key) = key_parts(public_key)?;
    let (is_whole_in_bits, is_whole) = match (algorithm, parameters.peek()) {
        (RSA_ENCRYPTION | OLD_RSA | RSASSA_PSS | ED25519 | ED448, _) => (true, true),
        (EC_PUBLIC_KEY, Some(OBJECT_IDENTIFIER)) => (true, true),
        // Those of the issuer, or of whoever reads it.
        (EC_PUBLIC_KEY | DSA | OLD_DSA, None | Some(NULL)) => (false, false),
        _ => (false, true),
    };
    Ok(Defining { bits: is_whole_in_bits.then_some(key), info: is_whole.then_some(public_key) })
}

/// The algorithm of a key, its parameters, and the key itself.
fn key_parts(public_key: &[u8]) -> Result<(&[u8], Reader<'_>, &[u8]), DecodeError> {
    let mut info = Reader::inside_of(public_key, SEQUENCE, "SubjectPublicKeyInfo", Encoding::Loose)?;
    let algorithm = info.expect(SEQUENCE, "SubjectPublicKeyInfo.algorithm")?.content;
    let key = info.bit_string("SubjectPublicKeyInfo.subjectPublicKey")?;
    info.finish("SubjectPublicKeyInfo")?;
    let (algorithm, parameters) = parts(algorithm, "SubjectPublicKeyInfo.algorithm")?;
    Ok((algorithm, parameters, key))
}

/// Bits of the modulus of an RSAPublicKey.
fn modulus_bits(key: &[u8]) -> Result<usize, DecodeError> {
    let mut key = Reader::inside_of(key, SEQUENCE, "RSAPublicKey", Encoding::Loose)?;
    bits(&mut key, "RSAPublicKey.modulus")
}

/// Bits of p in Dss-Parms.
fn prime_bits(mut parameters: Reader<'_>) -> Result<usize, DecodeError> {
    bits(&mut parameters.nested(SEQUENCE, "Dss-Parms")?, "Dss-Parms.p")
}

/// Bits of the next element, a positive INTEGER.
fn bits(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
    let number = reader.expect(INTEGER, field)?.content;
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).ok_or(DecodeError::value(field))?;
    let bits = 8 * (number.len() - zeros);
    Ok(bits.saturating_sub(usize::try_from(first.leading_zeros()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn identifier(algorithm: &[u8], parameters: &[u8]) -> Vec<u8> {
        [&tlv(OBJECT_IDENTIFIER, algorithm), parameters].concat()
    }

    #[test]
    fn the_bits_of_a_key_are_all_of_it_only_where_no_parameters_define_it_too() {
        let of = |algorithm: &[u8], parameters: &[u8]| {
            let info = [tlv(SEQUENCE, &identifier(algorithm, parameters)), tlv(3, &[0, 2, 1, 7])].concat();
            let info = tlv(SEQUENCE, &info);
            let Defining { bits, info: whole } = defining(&info).unwrap();
            assert!(bits.is_none_or(|bits| bits == [2, 1, 7]) && whole.is_none_or(|whole| whole == info));
            (bits.is_some(), whole.is_some())
        };
        let (named, group) = (tlv(OBJECT_IDENTIFIER, CURVES[0].0), tlv(SEQUENCE, &[2, 1, 5]));
        for (algorithm, parameters) in
            [(RSA_ENCRYPTION, &[5, 0][..]), (RSASSA_PSS, &group), (EC_PUBLIC_KEY, &named), (ED25519, &[])]
        {
            assert_eq!(of(algorithm, parameters), (true, true), "{algorithm:?}");
        }
        for (algorithm, parameters) in [(DSA, &group), (EC_PUBLIC_KEY, &group), (&[0x2a, 3], &group)] {
            assert_eq!(of(algorithm, parameters), (false, true), "{algorithm:?}");
        }
        for (algorithm, parameters) in [(DSA, &[][..]), (OLD_DSA, &[5, 0]), (EC_PUBLIC_KEY, &[5, 0])] {
            assert_eq!(of(algorithm, parameters), (false, false), "the parameters stand elsewhere");
        }
    }

    #[test]
    fn end_points_hash_as_the_signature_does_but_never_with_md5_or_sha_1() {
        let hash = |tail: u8| {
            let algorithm = identifier(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, tail], &[5, 0]);
            (signature_name(&algorithm).unwrap(), end_point_hash(&algorithm).unwrap())
        };
        assert_eq!(hash(4), ("md5WithRSAEncryption".to_owned(), Some(EndPointHash::Sha256)));
        assert_eq!(hash(5), ("sha1WithRSAEncryption".to_owned(), Some(EndPointHash::Sha256)));
        assert_eq!(hash(11), ("sha256WithRSAEncryption".to_owned(), Some(EndPointHash::Sha256)));
        assert_eq!(hash(12), ("sha384WithRSAEncryption".to_owned(), Some(EndPointHash::Sha384)));
        assert_eq!(hash(13), ("sha512WithRSAEncryption".to_owned(), Some(EndPointHash::Sha512)));
        assert_eq!(hash(99), ("1.2.840.113549.1.1.99".to_owned(), None));
        assert_eq!(end_point_hash(&identifier(ED25519, &[])).unwrap(), Some(EndPointHash::Sha256));
    }

    #[test]
    fn rsassa_pss_names_its_hash_in_its_parameters() {
        let read = |parameters: &[u8]| {
            let algorithm = identifier(RSASSA_PSS, parameters);
            (signature_name(&algorithm).unwrap(), end_point_hash(&algorithm).unwrap())
        };
        let hash =
            |oid| tlv(SEQUENCE, &tlv(der::constructed(0), &tlv(SEQUENCE, &tlv(OBJECT_IDENTIFIER, oid))));
        assert_eq!(read(&hash(SHA384)), ("RSASSA-PSS with SHA-384".to_owned(), Some(EndPointHash::Sha384)));
        assert_eq!(
            read(&tlv(SEQUENCE, &[])),
            ("RSASSA-PSS with SHA-1".to_owned(), Some(EndPointHash::Sha256))
        );
        assert_eq!(read(&[]), ("RSASSA-PSS with SHA-1".to_owned(), Some(EndPointHash::Sha256)));
        assert_eq!(read(&hash(&[0x2a])), ("RSASSA-PSS with an unknown hash".to_owned(), None));
    }

    #[test]
    fn signatures_are_checked_by_their_identifier_and_parameters() {
        let rsa = |tail: u8, parameters: &[u8]| {
            signature_scheme(&identifier(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, tail], parameters))
        };
        assert_eq!(rsa(4, &[5, 0]).unwrap(), Some(SignatureScheme::RsaPkcs1(Hash::Md5)));
        assert_eq!(rsa(5, &[5, 0]).unwrap(), Some(SignatureScheme::RsaPkcs1(Hash::Sha1)));
        assert_eq!(rsa(11, &[]).unwrap(), Some(SignatureScheme::RsaPkcs1(Hash::Sha256)), "NULL left out");
        assert_eq!(rsa(2, &[5, 0]).unwrap(), None, "MD2");
        assert_eq!(rsa(99, &[5, 0]).unwrap(), None);
        for wrong in [&[5, 1, 0][..], &[5, 0, 5, 0], &[0x30, 0], &[5]] {
            assert!(rsa(11, wrong).is_err(), "{wrong:02x?}");
        }
        assert_eq!(signature_scheme(&identifier(ED25519, &[])).unwrap(), Some(SignatureScheme::Ed25519));
        assert_eq!(signature_scheme(&identifier(ED448, &[])).unwrap(), None);
    }

    #[test]
    fn rsassa_pss_is_supported_with_one_hash_and_a_salt_of_its_length() {
        let hash = |oid: &[u8]| tlv(SEQUENCE, &identifier(oid, &[5, 0]));
        let mgf1 = |oid: &[u8]| {
            tlv(SEQUENCE, &identifier(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8], &hash(oid)))
        };
        let read = |fields: &[(u8, Vec<u8>)]| {
            let fields: Vec<u8> = fields.iter().flat_map(|(n, v)| tlv(der::constructed(*n), v)).collect();
            signature_scheme(&identifier(RSASSA_PSS, &tlv(SEQUENCE, &fields)))
        };
        let salt = |length| (2, tlv(INTEGER, &[length]));
        let (h, m) = ((0, hash(SHA384)), (1, mgf1(SHA384)));
        let usual = Some(SignatureScheme::RsaPss(Hash::Sha384));
        assert_eq!(read(&[h.clone(), m.clone(), salt(48)]).unwrap(), usual);
        assert_eq!(read(&[h.clone(), m.clone(), salt(48), (3, tlv(INTEGER, &[1]))]).unwrap(), usual);
        assert_eq!(read(&[]).unwrap(), Some(SignatureScheme::RsaPss(Hash::Sha1)), "the defaults");
        assert_eq!(signature_scheme(&identifier(RSASSA_PSS, &[])).unwrap(), read(&[]).unwrap());
        assert_eq!(read(&[h.clone(), m.clone()]).unwrap(), None, "a salt of 20");
        assert_eq!(read(&[h.clone(), salt(48)]).unwrap(), None, "MGF1 with SHA-1");
        assert_eq!(read(&[h.clone(), m.clone(), salt(48), (3, tlv(INTEGER, &[2]))]).unwrap(), None);
        assert_eq!(read(&[h.clone(), (1, hash(SHA384)), salt(48)]).unwrap(), None, "no MGF1");
        assert!(read(&[m, h]).is_err(), "out of order");
    }

    #[test]
    fn keys_are_named_with_their_size_or_curve() {
        let name = |algorithm: &[u8], parameters: &[u8], key: &[u8]| {
            let algorithm = tlv(SEQUENCE, &identifier(algorithm, parameters));
            let key = tlv(der::BIT_STRING, &[&[0], key].concat());
            key_name(&tlv(SEQUENCE, &[algorithm, key].concat()))
        };
        let rsa = tlv(SEQUENCE, &[tlv(INTEGER, &[0, 0x80, 0, 1]), tlv(INTEGER, &[3])].concat());
        assert_eq!(name(RSA_ENCRYPTION, &[5, 0], &rsa).unwrap(), "RSA 24 bits");
        assert_eq!(
            name(OLD_RSA, &[2, 1, 24], &rsa).unwrap(),
            "RSA 24 bits",
            "by this it is found where it may not be"
        );
        assert_eq!(name(RSASSA_PSS, &[], &rsa).unwrap(), "RSA-PSS 24 bits");
        let group = tlv(SEQUENCE, &tlv(INTEGER, &[0x7f, 1]));
        assert_eq!(name(DSA, &group, &[2, 1, 5]).unwrap(), "DSA 15 bits");
        assert_eq!(name(OLD_DSA, &group, &[2, 1, 5]).unwrap(), "DSA 15 bits");
        assert_eq!(name(DSA, &[], &[2, 1, 5]).unwrap(), "DSA", "the group of its issuer");
        assert_eq!(name(EC_PUBLIC_KEY, &[6, 5, 0x2b, 0x81, 4, 0, 35], &[4]).unwrap(), "ECDSA P-521");
        assert_eq!(name(EC_PUBLIC_KEY, &[6, 1, 0x2a], &[4]).unwrap(), "ECDSA on the curve 1.2");
        assert_eq!(name(EC_PUBLIC_KEY, &[0x30, 0], &[4]).unwrap(), "ECDSA on a curve without a name");
        assert_eq!(name(ED25519, &[], &[4]).unwrap(), "Ed25519");
        assert_eq!(name(&[0x2a, 3], &[], &[4]).unwrap(), "1.2.3");
        let error = name(RSA_ENCRYPTION, &[5, 0], &tlv(SEQUENCE, &tlv(INTEGER, &[0]))).unwrap_err();
        assert_eq!(error.field, "RSAPublicKey.modulus");
    }
}
