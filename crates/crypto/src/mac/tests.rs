//! Known answers and refusals of HMAC.

use super::*;
use crate::hex::hex;

struct Known {
    origin: &'static str,
    key: Vec<u8>,
    data: Vec<u8>,
    macs: Vec<(Hash, &'static str)>,
}

fn known_answers() -> Vec<Known> {
    let larger_than_block_data = "This is a test using a larger than block-size key and a larger than block-size data. \
         The key needs to be hashed before being used by the HMAC algorithm.";
    vec![
        Known {
            origin: "RFC 4231 section 4.2",
            key: vec![0x0b; 20],
            data: b"Hi There".to_vec(),
            macs: vec![
                (Hash::Sha256, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
                (
                    Hash::Sha384,
                    "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
                ),
                (
                    Hash::Sha512,
                    "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde
                     daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
                ),
            ],
        },
        Known {
            origin: "RFC 4231 section 4.3, RFC 2202 section 3 case 2",
            key: b"Jefe".to_vec(),
            data: b"what do ya want for nothing?".to_vec(),
            macs: vec![
                (Hash::Md5, "750c783e6ab0b503eaa86e310a5db738"),
                (Hash::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
                (Hash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
                (
                    Hash::Sha384,
                    "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
                ),
                (
                    Hash::Sha512,
                    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
                     9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
                ),
            ],
        },
        Known {
            origin: "RFC 4231 section 4.4, RFC 2202 section 3 case 3",
            key: vec![0xaa; 20],
            data: vec![0xdd; 50],
            macs: vec![
                (Hash::Sha1, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
                (Hash::Sha256, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
                (
                    Hash::Sha384,
                    "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
                ),
                (
                    Hash::Sha512,
                    "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39
                     bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
                ),
            ],
        },
        Known {
            origin: "RFC 4231 section 4.5",
            key: (1..=25).collect(),
            data: vec![0xcd; 50],
            macs: vec![
                (Hash::Sha256, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
                (
                    Hash::Sha384,
                    "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
                ),
                (
                    Hash::Sha512,
                    "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db
                     a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
                ),
            ],
        },
        Known {
            origin: "RFC 4231 section 4.7",
            key: vec![0xaa; 131],
            data: b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            macs: vec![
                (Hash::Sha256, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
                (
                    Hash::Sha384,
                    "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
                ),
                (
                    Hash::Sha512,
                    "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352
                     6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
                ),
            ],
        },
        Known {
            origin: "RFC 4231 section 4.8",
            key: vec![0xaa; 131],
            data: larger_than_block_data.as_bytes().to_vec(),
            macs: vec![
                (Hash::Sha256, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
                (
                    Hash::Sha384,
                    "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
                ),
                (
                    Hash::Sha512,
                    "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944
                     b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
                ),
            ],
        },
        Known {
            origin: "RFC 2202 section 3 case 1",
            key: vec![0x0b; 20],
            data: b"Hi There".to_vec(),
            macs: vec![(Hash::Sha1, "b617318655057264e28bc0b6fb378c8ef146be00")],
        },
        Known {
            origin: "RFC 2202 section 3 case 6",
            key: vec![0xaa; 80],
            data: b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            macs: vec![(Hash::Sha1, "aa4ae5e15272d00e95705637ce8a3b55ed402112")],
        },
    ]
}

#[test]
fn macs_are_those_of_rfc_4231_and_rfc_2202() {
    for Known { origin, key, data, macs } in known_answers() {
        for (hash, expected) in macs {
            let mac = HmacKey::new(hash, &key).sign(&data);
            assert_eq!(mac.as_ref(), hex(expected), "{origin}, {hash:?}");
        }
    }
}

#[test]
fn parts_have_the_mac_of_the_whole() {
    let data: Vec<u8> = (0..200).collect();
    for hash in [Hash::Md5, Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sha512Of256] {
        let whole = HmacKey::new(hash, b"key").sign(&data);
        for split in 0..=data.len() {
            let (head, tail) = data.split_at(split);
            assert_eq!(hmac(hash, b"key", &[head, tail]), whole, "{hash:?} at {split}");
        }
    }
}

#[test]
fn clone_of_a_context_goes_its_own_way() {
    let key = HmacKey::new(Hash::Sha256, b"key");
    let mut context = key.context();
    context.update(b"a");
    let other = context.clone();
    context.update(b"b");
    assert_eq!(context.finish(), key.sign(b"ab"));
    assert_eq!(other.finish(), key.sign(b"a"));
}

#[test]
fn verify_refuses_every_changed_byte_and_every_other_length() {
    let key = HmacKey::new(Hash::Sha1, b"key");
    let mac = key.sign(b"data").as_ref().to_vec();
    assert_eq!(key.verify(b"data", &mac), Ok(()));
    assert_eq!(key.verify(b"Data", &mac), Err(MacError));
    for index in 0..mac.len() {
        let mut changed = mac.clone();
        changed[index] ^= 1;
        assert_eq!(key.verify(b"data", &changed), Err(MacError), "byte {index}");
        assert_eq!(key.verify(b"data", &mac[..index]), Err(MacError), "length {index}");
    }
    assert_eq!(key.verify(b"data", &[mac, vec![0]].concat()), Err(MacError));
}

#[test]
fn debug_shows_no_key() {
    let key = HmacKey::new(Hash::Sha256, b"secret");
    assert_eq!(format!("{key:?}"), "HmacKey { hash: Sha256, .. }");
    assert_eq!(format!("{:?}", key.context()), "HmacContext { hash: Sha256, .. }");
}

/// HMAC of the crate that is the oracle.
fn mac_of_the_crate<M: ::hmac::KeyInit + ::hmac::Mac>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as ::hmac::KeyInit>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn macs_are_those_of_the_crate_for_keys_and_data_of_every_length() {
    use ::hmac::Hmac;
    let bytes: Vec<u8> = (0..=250).cycle().take(300).collect();
    for length in 0..bytes.len() {
        let (key, data) = (&bytes[..length], &bytes[length..]);
        for (hash, expected) in [
            (Hash::Md5, mac_of_the_crate::<Hmac<::md5::Md5>>(key, data)),
            (Hash::Sha1, mac_of_the_crate::<Hmac<sha1::Sha1>>(key, data)),
            (Hash::Sha256, mac_of_the_crate::<Hmac<sha2::Sha256>>(key, data)),
            (Hash::Sha384, mac_of_the_crate::<Hmac<sha2::Sha384>>(key, data)),
            (Hash::Sha512, mac_of_the_crate::<Hmac<sha2::Sha512>>(key, data)),
            (Hash::Sha512Of256, mac_of_the_crate::<Hmac<sha2::Sha512_256>>(key, data)),
        ] {
            assert_eq!(
                HmacKey::new(hash, key).sign(data).as_ref(),
                expected,
                "{hash:?}, key of {length} bytes"
            );
        }
    }
}
