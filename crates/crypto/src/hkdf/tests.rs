//! Known answers and refusals of HKDF.

use super::*;
use crate::hex::hex;

#[test]
fn extract_and_expand_are_those_of_rfc_5869() {
    struct Known {
        origin: &'static str,
        input_key_material: Vec<u8>,
        salt: Vec<u8>,
        info: Vec<u8>,
        pseudorandom_key: &'static str,
        output: &'static str,
    }
    let known = [
        Known {
            origin: "A.1",
            input_key_material: vec![0x0b; 22],
            salt: (0x00..=0x0c).collect(),
            info: (0xf0..=0xf9).collect(),
            pseudorandom_key: "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            output: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        },
        Known {
            origin: "A.2",
            input_key_material: (0x00..=0x4f).collect(),
            salt: (0x60..=0xaf).collect(),
            info: (0xb0..=0xff).collect(),
            pseudorandom_key: "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            output: "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c
                     59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71
                     cc30c58179ec3e87c14c01d5c1f3434f1d87",
        },
        Known {
            origin: "A.3",
            input_key_material: vec![0x0b; 22],
            salt: vec![],
            info: vec![],
            pseudorandom_key: "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            output: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        },
    ];
    for Known { origin, input_key_material, salt, info, pseudorandom_key, output } in known {
        let extracted = hkdf_extract(Hash::Sha256, &salt, &input_key_material);
        assert_eq!(extracted.as_ref(), hex(pseudorandom_key), "{origin}");
        let mut out = vec![0; hex(output).len()];
        hkdf_expand(Hash::Sha256, extracted.as_ref(), &info, &mut out).unwrap();
        assert_eq!(out, hex(output), "{origin}");
    }
}

/// The server's key schedule up to its handshake traffic keys.
#[test]
fn tls13_key_schedule_is_that_of_rfc_8448_section_3() {
    const HASH: Hash = Hash::Sha256;
    let no_messages = HASH.digest(b"");
    let early_secret = hkdf_extract(HASH, &[0; 32], &[0; 32]);
    assert_eq!(
        early_secret.as_ref(),
        hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a")
    );
    let derived = derive_secret(HASH, early_secret.as_ref(), b"derived", no_messages.as_ref()).unwrap();
    assert_eq!(derived.as_ref(), hex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"));

    let shared_secret = hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
    let handshake_secret = hkdf_extract(HASH, derived.as_ref(), &shared_secret);
    assert_eq!(
        handshake_secret.as_ref(),
        hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac")
    );

    let transcript_hash = hex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8");
    let traffic = |label| derive_secret(HASH, handshake_secret.as_ref(), label, &transcript_hash).unwrap();
    assert_eq!(
        traffic(b"c hs traffic").as_ref(),
        hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21")
    );
    let server = traffic(b"s hs traffic");
    assert_eq!(server.as_ref(), hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"));

    let expanded = |label: &[u8], length| {
        let mut out = vec![0; length];
        hkdf_expand_label(HASH, server.as_ref(), label, b"", &mut out).unwrap();
        out
    };
    assert_eq!(expanded(b"key", 16), hex("3fce516009c21727d0f2e4e86ee403bc"));
    assert_eq!(expanded(b"iv", 12), hex("5d313eb2671276ee13000b30"));
    assert_eq!(
        expanded(b"finished", 32),
        hex("008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8")
    );

    let derived = derive_secret(HASH, handshake_secret.as_ref(), b"derived", no_messages.as_ref()).unwrap();
    assert_eq!(derived.as_ref(), hex("43de77e0c77713859a944db9db2590b53190a65b3ee2e4f12dd7a0bb7ce254b4"));
    assert_eq!(
        hkdf_extract(HASH, derived.as_ref(), &[0; 32]).as_ref(),
        hex("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919")
    );
}

#[test]
fn derived_secret_has_the_length_of_the_hash() {
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let derived = derive_secret(hash, b"secret", b"derived", b"").unwrap();
        assert_eq!(derived.as_ref().len(), hash.output_len());
    }
}

#[test]
fn shorter_output_is_the_start_of_the_longer() {
    let mut longest = vec![0; 255 * 32];
    hkdf_expand(Hash::Sha256, b"secret", b"info", &mut longest).unwrap();
    for length in [0, 1, 31, 32, 33, 63, 64, 65, 255 * 32 - 1] {
        let mut out = vec![0; length];
        hkdf_expand(Hash::Sha256, b"secret", b"info", &mut out).unwrap();
        assert_eq!(out, longest[..length], "{length}");
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused_and_leave_the_output() {
    let mut out = vec![7; 255 * 20 + 1];
    let too_long = Err(HkdfError::OutputTooLong { length: 5101, max: 5100 });
    assert_eq!(hkdf_expand(Hash::Sha1, b"secret", b"", &mut out), too_long);
    assert_eq!(hkdf_expand_label(Hash::Sha1, b"secret", b"label", b"", &mut out), too_long);
    assert!(out.iter().all(|byte| *byte == 7));

    let mut out = vec![7; 0x1_0000];
    let too_long = Err(HkdfError::OutputTooLong { length: 0x1_0000, max: 255 * 64 });
    assert_eq!(hkdf_expand_label(Hash::Sha512, b"secret", b"label", b"", &mut out), too_long);

    let mut out = [7; 8];
    let mut expand =
        |label: &[u8], context: &[u8]| hkdf_expand_label(Hash::Sha256, b"secret", label, context, &mut out);
    assert_eq!(expand(&[b'l'; 250], b""), Err(HkdfError::LabelLength { length: 250 }));
    assert_eq!(expand(b"l", &[0; 256]), Err(HkdfError::ContextTooLong { length: 256 }));
    assert_eq!(expand(&[b'l'; 249], &[0; 255]), Ok(()));
}

/// The prefix alone is shorter than what the description of the structure allows, and everybody's exporters take it.
#[test]
fn a_label_may_be_empty_beside_its_prefix() {
    let (mut labelled, mut plain) = ([0; 8], [0; 8]);
    hkdf_expand_label(Hash::Sha256, b"secret", b"", b"c", &mut labelled).unwrap();
    hkdf_expand(Hash::Sha256, b"secret", b"\x00\x08\x06tls13 \x01c", &mut plain).unwrap();
    assert_eq!(labelled, plain);
}
