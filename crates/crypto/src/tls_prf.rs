//! The pseudorandom functions of TLS 1.0 and 1.1 and of TLS 1.2, and P_hash, of which both are made.
//!
//! Spec: TLS10 section 5; TLS12 section 5.

use crate::hash::Hash;
use crate::mac::{HmacKey, expand, expand_md5_and_sha1};

/// PRF of TLS 1.0 and TLS 1.1: fills `out` from `secret`, for `label` and the concatenation of `seed_parts`.
///
/// ```text
/// PRF(secret, label, seed) = P_MD5(S1, label + seed) XOR P_SHA-1(S2, label + seed)
/// ```
///
/// S1 and S2 are the halves of the secret, and share its middle byte if its length is odd.
///
/// Spec: TLS10 section 5; TLS11 section 5.
pub fn prf_tls10(secret: &[u8], label: &[u8], seed_parts: &[&[u8]], out: &mut [u8]) {
    let half = secret.len().div_ceil(2);
    let (first, second) = (secret.get(..half), secret.get(secret.len() - half..));
    let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
    expand_md5_and_sha1(first, second, label, seed_parts, out);
}

/// PRF of TLS 1.2: fills `out` from `secret`, for `label` and the concatenation of `seed_parts`.
///
/// `hash` is SHA-256 unless the cipher suite says another one.
///
/// Spec: TLS12 section 5.
pub fn prf_tls12(hash: Hash, secret: &[u8], label: &[u8], seed_parts: &[&[u8]], out: &mut [u8]) {
    prf_tls12_keyed(&HmacKey::new(hash, secret), label, seed_parts, out);
}

/// The same with the secret as a key already: a handshake expands its master secret several times.
///
/// Spec: TLS12 section 5.
pub fn prf_tls12_keyed(key: &HmacKey, label: &[u8], seed_parts: &[&[u8]], out: &mut [u8]) {
    expand(key, label, seed_parts, out);
}

/// P_hash: fills `out` from `secret` and the concatenation of `seed_parts`, however long it is.
///
/// ```text
/// P_hash(secret, seed) = HMAC(secret, A(1) + seed) + HMAC(secret, A(2) + seed) + ...
/// A(0) = seed, A(i) = HMAC(secret, A(i-1))
/// ```
///
/// Spec: TLS12 section 5.
pub fn p_hash(hash: Hash, secret: &[u8], seed_parts: &[&[u8]], out: &mut [u8]) {
    expand(&HmacKey::new(hash, secret), &[], seed_parts, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::hex;

    struct Known {
        hash: Hash,
        secret: &'static str,
        seed: &'static str,
        output: &'static str,
    }

    /// "Test vectors for TLS 1.2 PRF", IETF TLS mailing list, 2009; the label of each is "test label".
    const KNOWN: [Known; 3] = [
        Known {
            hash: Hash::Sha256,
            secret: "9bbe436ba940f017b17652849a71db35",
            seed: "a0ba9f936cda311827a6f796ffd5198c",
            output: "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a
                     6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab
                     4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701
                     87347b66",
        },
        Known {
            hash: Hash::Sha384,
            secret: "b80b733d6ceefcdc71566ea48e5567df",
            seed: "cd665cf6a8447dd6ff8b27555edb7465",
            output: "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cd
                     e9ca0faa60be9fe34f82b1233c9146a0e534cb400fed2700884f9dc236f80edd
                     8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425
                     9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee6
                     91c8f3a26854308d5eaa3be85e0990703d73e56f",
        },
        Known {
            hash: Hash::Sha512,
            secret: "b0323523c1853599584d88568bbb05eb",
            seed: "d4640e12e4bcdbfb437f03e6ae418ee5",
            output: "1261f588c798c5c201ff036e7a9cb5edcd7fe3f94c669a122a4638d7d508b283
                     042df6789875c7147e906d868bc75c45e20eb40c1cf4a1713b27371f68432592
                     f7dc8ea8ef223e12ea8507841311bf68653d0cfc4056d811f025c45ddfa6e6fe
                     c702f054b409d6f28dd0a3233e498da41a3e75c5630eedbe22fe254e33a1b0e9
                     f6b9826675bec7d01a845658dc9c397545401d40b9f46c7a400ee1b8f81ca0a6
                     0d1a397a1028bff5d2ef5066126842fb8da4197632bdb54ff6633f86bbc836e6
                     40d4d898",
        },
    ];

    /// A check of the PRF of TLS 1.0 that went round on the IETF TLS mailing list, and one with a secret of odd
    /// length from the Python standard library's HMAC.
    #[test]
    fn tls10_output_is_that_of_the_known_answers_at_every_length() {
        let circulated = "d3d4d1e349b5d515044666d51de32bab258cb521b6b053463e354832fd976754443bcf9a296519bc
                          289abcbc1187e4ebd31e602353776c408aafb74cbc85eff69255f9788faa184cbb957a9819d84a5d
                          7eb006eb459d3ae8de9810454b8b2d8f1afbc655a8c9a013";
        let odd = "86fe8a2f963953af9d46b3777ce867574ee917f623f398f477d1a2fefcf5f31bcc3e495222191623";
        let answers = [
            (vec![0xab; 48], "PRF Testvector", vec![0xcd; 64], circulated),
            (b"abcde".to_vec(), "odd", b"seed".to_vec(), odd),
        ];
        for (secret, label, seed, output) in answers {
            let output = hex(output);
            for length in 0..=output.len() {
                let mut out = vec![0; length];
                prf_tls10(&secret, label.as_bytes(), &[&seed[..2], &[], &seed[2..]], &mut out);
                assert_eq!(out, output[..length], "{label}, {length} bytes");
            }
        }
    }

    #[test]
    fn output_is_that_of_the_known_answers_at_every_length() {
        for Known { hash, secret, seed, output } in KNOWN {
            let (secret, seed, output) = (hex(secret), hex(seed), hex(output));
            for length in 0..=output.len() {
                let mut out = vec![0; length];
                prf_tls12(hash, &secret, b"test label", &[&seed], &mut out);
                assert_eq!(out, output[..length], "{hash:?}, {length} bytes");
            }
        }
    }

    #[test]
    fn seed_and_label_may_come_in_parts() {
        let [Known { hash, secret, seed, output }, ..] = KNOWN;
        let (secret, seed, output) = (hex(secret), hex(seed), hex(output));
        let mut out = vec![0; output.len()];
        prf_tls12(hash, &secret, b"test label", &[&seed[..5], &[], &seed[5..]], &mut out);
        assert_eq!(out, output);
        out.fill(0);
        p_hash(hash, &secret, &[b"test label", &seed], &mut out);
        assert_eq!(out, output);
    }
}
