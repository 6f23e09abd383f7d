//! Tokens of the specifications, row by row, and tokens that are none.

use test_support::Mutator;
use test_support::hex::decode as hex;

use super::input::DigestMessage;
use super::*;

/// MS-NLMP section 4.2.4.3.
const CHALLENGE: &str = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef0000000000000000240024004400000006
    0070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000";
/// MS-NLMP section 4.2.4.3.
const AUTHENTICATE: &str = "4e544c4d5353500003000000180018006c00000054005400840000000c000c0048000000080008005400000010001000
    5c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e00550073006500720043004f004d00500055005400450052
    0086c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aaaa
    aaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000c5dad2544fc9799094
    ce1ce90bc9d03e";

fn read(text: &str) -> Input {
    Input::read(text.as_bytes()).unwrap()
}

fn decoded(bytes: &[u8]) -> Decoded {
    decode(&Input::read(bytes).unwrap())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn the_challenge_of_the_specification_is_shown_field_by_field() {
    let decoded = decoded(&hex(CHALLENGE));
    assert_eq!((decoded.kind.as_str(), &decoded.wrong), ("NTLM CHALLENGE", &None));
    let shown = |field| decoded.table.find(field).shown();
    assert_eq!(shown("TargetNameFields"), (Some((12, 8)), "12 bytes at 56", false));
    assert_eq!(shown("NegotiateFlags"), (Some((20, 4)), "0xe28a8233", false));
    assert_eq!(shown("ServerChallenge"), (Some((24, 8)), "0123456789abcdef", false));
    assert_eq!(shown("Version"), (Some((48, 8)), "6.0.6000", false));
    assert_eq!(shown("TargetName"), (Some((56, 12)), "\"Server\"", false));
    assert_eq!(shown("MsvAvNbDomainName"), (Some((68, 16)), "\"Domain\"", false));
    assert_eq!(shown("MsvAvEOL"), (Some((100, 4)), "", false));
    assert_eq!(shown("NEGOTIATE_KEY_EXCH").0, None);
}

#[test]
fn the_answer_of_the_specification_keeps_its_secrets() {
    let decoded = decoded(&hex(AUTHENTICATE));
    assert_eq!((decoded.kind.as_str(), &decoded.wrong), ("NTLM AUTHENTICATE", &None));
    let shown = |field| decoded.table.find(field).shown();
    assert_eq!(shown("UserName"), (Some((84, 8)), "\"User\"", false));
    assert_eq!(shown("NTProofStr"), (Some((132, 16)), "68cd0ab851e51c96aabc927bebef6a1c", true));
    assert_eq!(shown("ChallengeFromClient"), (Some((164, 8)), "aaaaaaaaaaaaaaaa", false));
    for secret in ["LmChallengeResponse", "EncryptedRandomSessionKey"] {
        assert!(shown(secret).2, "{secret}");
    }
    let objects = serde_json::to_string(&decoded.table.objects(false)).unwrap();
    assert!(!objects.contains("68cd0ab8") && !objects.contains("c5dad254") && !objects.contains("86c35097"));
    assert!(serde_json::to_string(&decoded.table.objects(true)).unwrap().contains("68cd0ab8"));
}

/// A harmless field that points to a secret does not show it, whoever wrote the message.
#[test]
fn a_field_that_lies_on_a_secret_is_one_itself() {
    let (proof, key) = ((132, 16), (216, 16));
    for (pointer, field) in [(28, "DomainName"), (36, "UserName"), (44, "Workstation")] {
        for (place, len) in [proof, key, (108, 24), (140, 20), (100, 100), (231, 10)] {
            let mut token = hex(AUTHENTICATE);
            let len = u16::try_from(len).unwrap().to_le_bytes();
            token[pointer..pointer + 2].copy_from_slice(&len);
            token[pointer + 4..pointer + 8].copy_from_slice(&u32::try_from(place).unwrap().to_le_bytes());
            let decoded = decoded(&token);
            let objects = serde_json::to_string(&decoded.table.objects(false)).unwrap();
            for leaked in ["68cd0ab8", "b851e51c", "c5dad254", "86c35097", "\u{cd68}"] {
                assert!(!objects.contains(leaked), "{field} at {place}: {objects}");
            }
            if place != 231 {
                assert!(decoded.table.find(field).shown().2, "{field} at {place}");
            }
        }
    }
    let (mut token, nowhere) = (hex(AUTHENTICATE), 0xffff_u16.to_le_bytes());
    // The key reaches beyond the end, and cannot be shown itself.
    token[52..54].copy_from_slice(&nowhere);
    token[44..46].copy_from_slice(&20_u16.to_le_bytes());
    token[48..52].copy_from_slice(&212_u32.to_le_bytes());
    let decoded = decoded(&token);
    assert!(decoded.wrong.is_some() && decoded.table.find("Workstation").shown().2);
}

/// The time in an answer of version 2 is no secret, but a key that is said to lie there is.
#[test]
fn a_value_within_a_secret_is_hidden_and_its_length_is_not() {
    let mut token = hex(AUTHENTICATE);
    token[56..60].copy_from_slice(&152_u32.to_le_bytes());
    let decoded = decoded(&token);
    let shown = |field| decoded.table.find(field).shown();
    assert!(shown("TimeStamp").2 && shown("ChallengeFromClient").2);
    assert_eq!(shown("NtChallengeResponse"), (Some((132, 84)), "84 bytes", false));
    assert!(!shown("UserName").2 && !shown("MessageType").2);
}

#[test]
fn a_password_that_is_not_proven_yields_no_keys() {
    let input = read(
        "Authorization: Digest username=\"Mufasa\", realm=\"testrealm@host.com\", uri=\"/dir/index.html\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", nc=00000001, cnonce=\"0a4f113b\", qop=auth, \
         response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
    );
    for (password, keys) in [("Circle Of Life", 1), ("circle of life", 0)] {
        let password = zeroize::Zeroizing::new(password.to_owned());
        let asked = Asked { password, challenge: None, negotiate: None, method: "GET", user: None };
        let object = Check::of(&input, &asked).unwrap().object();
        assert_eq!(object["password"], keys == 1, "{object}");
        assert_eq!(object["keys"].as_object().unwrap().len(), keys, "{object}");
    }
}

#[test]
fn what_spnego_carries_is_shown_where_it_lies() {
    let ntlm = hex(CHALLENGE);
    let (length, inner) = (u8::try_from(ntlm.len()).unwrap(), ntlm.len());
    let (token, state) = ([&[0xa2, length + 2, 4, length], &ntlm[..]].concat(), [0xa0, 3, 10, 1, 1]);
    let chosen = hex("a10c060a2b06010401823702020a");
    let fields = [&state[..], &chosen, &token].concat();
    let length = u8::try_from(fields.len()).unwrap();
    let bytes = [&[0xa1, 0x81, length + 3, 0x30, 0x81, length][..], &fields].concat();
    let decoded = decoded(&bytes);
    assert_eq!((decoded.kind.as_str(), &decoded.wrong), ("SPNEGO NegTokenResp", &None));
    let shown = |field| decoded.table.find(field).shown();
    assert_eq!(shown("negState"), (Some((10, 1)), "1 accept-incomplete", false));
    assert_eq!(decoded.table.find("supportedMech").meaning(), "NTLM");
    let begin = bytes.len() - inner;
    assert_eq!(shown("responseToken"), (Some((begin, inner)), "NTLM CHALLENGE", false));
    assert_eq!(shown("ServerChallenge").0, Some((begin + 24, 8)));
}

#[test]
fn a_token_is_read_however_it_is_written() {
    let bytes = hex(CHALLENGE);
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let encoded = base64(&bytes);
    for (text, form, header) in [
        (digits.clone(), "hexadecimal", None),
        (digits.to_uppercase(), "hexadecimal", None),
        (format!("0x{digits}\n"), "hexadecimal", None),
        (encoded.clone(), "base64", None),
        (encoded.trim_end_matches('=').to_owned(), "base64", None),
        (format!("NTLM {encoded}"), "base64", None),
        (format!("www-authenticate: Negotiate {encoded}\r\n"), "base64", Some("WWW-Authenticate")),
        (format!("< Proxy-Authenticate: NTLM {encoded}"), "base64", Some("Proxy-Authenticate")),
    ] {
        let input = read(&text);
        assert_eq!((input.bytes(), input.form, input.header), (Some(&bytes[..]), form, header), "{text}");
    }
    assert_eq!(Input::read(&bytes).unwrap().form, "raw");
}

#[test]
fn a_scheme_without_a_token_is_said_to_have_none() {
    let decoded = decode(&read("WWW-Authenticate: Negotiate"));
    assert_eq!(decoded.kind, "the name of the scheme Negotiate, without a token");
}

#[test]
fn what_is_no_token_is_refused_with_what_it_is() {
    for (text, expected) in [
        ("", "neither"),
        ("hello, world", "neither"),
        ("00112233", "it is hexadecimal"),
        ("aGVsbG8=", "it is base64"),
        ("Authorization: Basic YTpi", "has the scheme Basic"),
        ("\u{ff}\u{1b}[2J", "neither"),
    ] {
        let message = Input::read(text.as_bytes()).unwrap_err();
        assert!(message.contains(expected), "{text}: {message}");
    }
    assert!(Input::read(&[0xff, 0xfe, 0]).is_err());
}

#[test]
fn digest_is_shown_directive_by_directive() {
    let text = "Authorization: Digest username=\"Mufasa\", realm=\"a, b\", uri=\"/\", nonce=\"n\", nc=00000001, \
        cnonce=\"c\", qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\"";
    let input = read(text);
    let decoded = decode(&input);
    assert_eq!((decoded.kind.as_str(), &decoded.wrong), ("Digest response", &None));
    let shown = |field| decoded.table.find(field).shown();
    assert_eq!(shown("username"), (Some((0, 17)), "\"Mufasa\"", false));
    assert_eq!(shown("realm"), (Some((19, 12)), "\"a, b\"", false));
    assert_eq!(shown("nonce"), (Some((42, 9)), "\"n\"", false), "and not the place of cnonce");
    assert!(shown("response").2);
    let challenge =
        "realm=\"r\",nonce=\"n\",qop=\"auth,auth-conf\",charset=utf-8,algorithm=md5-sess,cipher=\"rc4\"";
    for text in [challenge.to_owned(), base64(challenge.as_bytes())] {
        let input = read(&text);
        let expected = DigestMessage::Challenge { is_sasl: true };
        assert!(matches!(&input.content, Content::Digest { message, .. } if *message == expected));
        assert_eq!(decode(&input).wrong, None);
    }
}

#[test]
fn mistakes_have_their_field_and_their_byte() {
    let wrong = |bytes: &[u8]| {
        let wrong = decoded(bytes).wrong.unwrap();
        (wrong.offset, wrong.field)
    };
    let with = |at: usize, bytes: &[u8]| {
        let mut token = hex(AUTHENTICATE);
        token[at..at + bytes.len()].copy_from_slice(bytes);
        token
    };
    assert_eq!(wrong(&hex(AUTHENTICATE)[..62]), (60, "NegotiateFlags".to_owned()));
    assert_eq!(wrong(&with(8, &[9])), (8, "MessageType".to_owned()));
    assert_eq!(wrong(&with(40, &[0xff, 0xff])), (36, "UserName".to_owned()), "a content outside");
    assert_eq!(wrong(&with(40, &[72])), (36, "UserName".to_owned()), "two contents at one place");
    assert_eq!(wrong(&with(148, &[2])), (148, "RespType".to_owned()));
    assert_eq!(wrong(&with(178, &[0xff, 0xff])).1, "AV_PAIR.Value");
    let digest = |text: &str| decode(&read(text)).wrong.unwrap().to_string();
    assert_eq!(
        digest("Digest realm=\"r\", nonce=\"n\", qop=\"auth"),
        "at byte 31, in the list of directives: there is no closing quotation mark"
    );
    assert_eq!(
        digest("Digest realm=\"r\", nonce=\"n\", realm=\"r\""),
        "at byte 22, in realm: the directive stands twice"
    );
}

#[test]
fn what_a_peer_sent_is_harmless() {
    let decoded = decode(&read("Digest realm=\"\u{202e}x\", nonce=\"a\\\\b\""));
    assert!(!decoded.table.find("realm").shown().1.contains('\u{202e}'));
    let mut challenge = hex(CHALLENGE);
    challenge[56..58].copy_from_slice(&[0x1b, 0]);
    let decoded = decode(&Input::read(&challenge).unwrap());
    assert_eq!(decoded.table.find("TargetName").shown().1, "\"\\u{1b}erver\"");
}

#[test]
fn mutations_of_tokens_are_shown_or_refused() {
    for (seed, token) in [CHALLENGE, AUTHENTICATE].into_iter().enumerate() {
        let mut mutator = Mutator::new(u64::try_from(seed).unwrap());
        for _ in 0..20_000 {
            let mut bytes = hex(token);
            mutator.mutate_some(&mut bytes, 4);
            if let Ok(input) = Input::read(&bytes) {
                let _shown_or_wrong = decode(&input);
            }
        }
    }
}
