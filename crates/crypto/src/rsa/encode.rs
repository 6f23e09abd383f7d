//! A private key, written down.

use zeroize::Zeroizing;

use super::{PrivateKey, generate};
use crate::asn1::{INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, unsigned};
use crate::public_key::KeyError;

/// rsaEncryption, 1.2.840.113549.1.1.1.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

impl PrivateKey {
    /// The key in a `PrivateKeyInfo`, for whoever keeps it or reads it elsewhere. Not encrypted.
    ///
    /// ```text
    /// SEQUENCE { 0, { rsaEncryption, NULL }, OCTET STRING { 0, n, e, d, p, q, d mod (p-1), d mod (q-1), q^-1 mod p } }
    /// ```
    ///
    /// # Errors
    ///
    /// [`KeyError::Inconsistent`], which no key here is.
    ///
    /// Spec: PKCS1 appendix A.1.2.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let [p, q] = self.primes();
        let e = self.public_key().e();
        let d = generate::private_exponent(e, p, q).ok_or(KeyError::Inconsistent)?;
        let [dp, dq, inverse] = generate::exponents(e, p, q).ok_or(KeyError::Inconsistent)?;
        let version = element(INTEGER, &[&[0]]);
        let integer = |number: &[u8]| Zeroizing::new(unsigned(number));
        let numbers = [self.public_key().n(), e, &d, p, q, &dp, &dq, &inverse].map(integer);
        let mut fields: Vec<&[u8]> = vec![&version];
        fields.extend(numbers.iter().map(|number| number.as_slice()));
        let key = Zeroizing::new(element(SEQUENCE, &fields));
        let key = Zeroizing::new(element(OCTET_STRING, &[&key]));
        let algorithm =
            element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[RSA_ENCRYPTION]), &element(NULL, &[])]);
        Ok(Zeroizing::new(element(SEQUENCE, &[&version, &algorithm, &key])))
    }
}

#[cfg(test)]
mod tests {
    use ring::rsa::KeyPair;

    use crate::private_key::PrivateKey as AnyKey;
    use crate::rsa::PrivateKey;
    use crate::testing::{RSA, Record, Seeded};

    #[test]
    fn keys_of_openssl_come_back_as_they_were() {
        for record in Record::all(RSA) {
            let key = PrivateKey::from_pkcs1_der(&record.bytes("pkcs1")).unwrap();
            let written = key.to_pkcs8_der().unwrap();
            let AnyKey::Rsa(read) = AnyKey::from_der(&written).unwrap() else { panic!("no RSA key") };
            assert_eq!(read.primes(), key.primes());
            // All but d, which OpenSSL reduces further: to what is below the least common multiple of p - 1 and q - 1.
            assert_eq!(read.public_key().n(), key.public_key().n());
        }
    }

    #[test]
    fn a_new_key_can_be_read_elsewhere() {
        let key = PrivateKey::generate(2048, &Seeded::new(8)).unwrap();
        let elsewhere = KeyPair::from_pkcs8(&key.to_pkcs8_der().unwrap()).unwrap();
        assert_eq!(elsewhere.public().modulus_len(), 256);
    }
}
