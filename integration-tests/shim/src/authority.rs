//! Certificates of authorities that nobody has the key of: a server is configured with the certificates of those whose names it
//! sends, and the runner gives names only.
//!
//! Spec: X509 section 4.1.

const SEQUENCE: u8 = 0x30;
/// ecdsa-with-SHA256.
const SIGNATURE_ALGORITHM: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// id-ecPublicKey on P-256.
const KEY_ALGORITHM: &[u8] =
    &[0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// A point that is not on the curve: nothing verifies with it.
const NO_POINT: [u8; 66] = {
    let mut bits = [0; 66];
    bits[1] = 4;
    bits
};
/// basicConstraints: an authority.
const EXTENSIONS: &[u8] =
    &[0xa3, 19, 0x30, 17, 0x30, 15, 6, 3, 0x55, 0x1d, 19, 1, 1, 0xff, 4, 5, 0x30, 3, 1, 1, 0xff];

/// A certificate whose subject is `name`, a Name in DER; as good as none to judge anybody by.
pub(crate) fn named(name: &[u8]) -> Vec<u8> {
    let times: Vec<u8> =
        [b"000101000000Z", b"491231235959Z"].into_iter().flat_map(|time| der(23, &[time])).collect();
    let validity = der(SEQUENCE, &[&times]);
    let key = der(SEQUENCE, &[KEY_ALGORITHM, &der(3, &[&NO_POINT])]);
    let (version, serial) = (&[0xa0, 3, 2, 1, 2], &[2, 1, 1]);
    let body =
        der(SEQUENCE, &[version, serial, SIGNATURE_ALGORITHM, name, &validity, name, &key, EXTENSIONS]);
    der(SEQUENCE, &[&body, SIGNATURE_ALGORITHM, &der(3, &[&[0]])])
}

/// A value of DER with its tag and length.
fn der(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = content.len().to_be_bytes();
    let digits = length.iter().position(|digit| *digit != 0).unwrap_or(length.len() - 1);
    let length = length.get(digits..).unwrap_or_default();
    let mut out = vec![tag];
    if content.len() >= 0x80 {
        out.push(0x80 | u8::try_from(length.len()).unwrap_or(u8::MAX));
    }
    out.extend_from_slice(length);
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_has_the_name_it_was_made_for_however_long_that_is() {
        for filling in [0, 100, 200, 300, 70_000] {
            let name = der(SEQUENCE, &[&vec![0; filling]]);
            assert_eq!(schannel::certificate::subject_der(&named(&name)).unwrap(), name);
        }
    }
}
