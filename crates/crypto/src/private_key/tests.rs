use super::*;
use crate::hash::Hash;
use crate::signature::VerificationError;
use crate::testing::{DSA, EC, HASHES, MESSAGE, RSA, Record, Seeded};

#[test]
fn every_form_of_a_key_is_the_same_key() {
    for (file, kind) in [(RSA, "RSA"), (DSA, "DSA"), (EC, "ECDSA")] {
        for record in Record::all(file) {
            let public = PublicKey::from_spki_der(&record.bytes("spki")).unwrap();
            assert_eq!(public.kind(), kind);
            for form in ["pkcs1", "pkcs8", "sec1", "openssl"] {
                let Some(der) = record.find(form) else { continue };
                let key = PrivateKey::from_der(&der).unwrap();
                assert_eq!(key.public_key(), public, "{form}");
            }
            if let Some(compressed) = record.find("spki-compressed") {
                assert_eq!(PublicKey::from_spki_der(&compressed).unwrap(), public);
            }
        }
    }
}

#[test]
fn keys_sign_what_their_public_half_accepts_and_refuse_other_schemes() {
    let random = Seeded::new(1);
    let schemes: [fn(Hash) -> SignatureScheme; 4] =
        [SignatureScheme::RsaPkcs1, SignatureScheme::RsaPss, SignatureScheme::Dsa, SignatureScheme::Ecdsa];
    for (file, fitting) in [(RSA, &schemes[..2]), (DSA, &schemes[2..3]), (EC, &schemes[3..])] {
        let record = Record::all(file).pop().unwrap();
        let key = PrivateKey::from_der(&record.bytes(match file {
            RSA => "pkcs1",
            _ => "pkcs8",
        }))
        .unwrap();
        let public = key.public_key();
        for scheme in schemes {
            for (_, hash) in HASHES {
                if fitting.contains(&scheme) {
                    let signature = key.sign(scheme(hash), MESSAGE, &random).unwrap();
                    assert_eq!(public.verify(scheme(hash), MESSAGE, &signature), Ok(()));
                    let verdict = public.verify(scheme(hash), b"another", &signature);
                    assert_eq!(verdict, Err(VerificationError::BadSignature));
                } else {
                    let refused = key.sign(scheme(hash), MESSAGE, &random);
                    assert_eq!(refused, Err(SigningError::KeyDoesNotFit));
                    let verdict = public.verify(scheme(hash), MESSAGE, &[]);
                    assert_eq!(verdict, Err(VerificationError::KeyDoesNotFit));
                }
            }
        }
        assert_eq!(key.sign(SignatureScheme::Ed25519, MESSAGE, &random), Err(SigningError::KeyDoesNotFit));
    }
}
