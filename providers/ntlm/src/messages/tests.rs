//! Messages are read as they are written; what does not lie where it can is refused.

use test_support::Mutator;
use test_support::hex::decode as hex;

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

fn negotiate() -> Vec<u8> {
    let message = NegotiateMessage {
        flags: NegotiateFlags(0xE208_B2B7),
        domain: b"DOMAIN",
        workstation: b"COMPUTER",
        version: Some(Version { major: 10, minor: 0, build: 17763, revision: 15 }),
    };
    message.to_bytes().unwrap()
}

fn all() -> [Vec<u8>; 3] {
    [negotiate(), hex(CHALLENGE), hex(AUTHENTICATE)]
}

#[test]
fn the_messages_of_the_specification_are_read() {
    let challenge = hex(CHALLENGE);
    let Message::Challenge(challenge) = Message::decode(&challenge).unwrap() else { panic!() };
    assert_eq!(text("TargetName", challenge.target_name, true).unwrap(), "Server");
    assert_eq!(challenge.server_challenge, [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
    assert_eq!(challenge.version.unwrap().to_string(), "6.0.6000 (NTLM 15)");
    let pairs = challenge.av_pairs().unwrap();
    assert_eq!(pairs.text(AvId::NB_DOMAIN_NAME).unwrap().as_deref(), Some("Domain"));
    assert_eq!(pairs.text(AvId::NB_COMPUTER_NAME).unwrap().as_deref(), Some("Server"));

    let authenticate = hex(AUTHENTICATE);
    let Message::Authenticate(message) = Message::decode(&authenticate).unwrap() else { panic!() };
    let names =
        [message.domain, message.user, message.workstation].map(|name| message.text("", name).unwrap());
    assert_eq!(names, ["Domain", "User", "COMPUTER"]);
    assert_eq!((message.lm_response.len(), message.nt_response.len()), (24, 84));
    assert_eq!((message.encrypted_random_session_key.len(), message.mic), (16, None));
    assert_eq!(message.version.unwrap().build, 2600);
    let response = NtlmV2Response::decode(message.nt_response).unwrap();
    assert_eq!(response.content.client_challenge, [0xaa; 8]);
    assert_eq!(response.content.to_bytes().unwrap(), response.temp);
    let shown = format!("{message:?} {response:?}");
    assert!(shown.contains("User") && !shown.contains("104, 205") && !shown.contains("68, cd"), "{shown}");
}

#[test]
fn what_is_read_is_written_as_it_was() {
    let bytes = negotiate();
    assert_eq!(NegotiateMessage::decode(&bytes).unwrap().to_bytes().unwrap(), bytes);
    let bytes = hex(CHALLENGE);
    assert_eq!(ChallengeMessage::decode(&bytes).unwrap().to_bytes().unwrap(), bytes);
    let bytes = hex(AUTHENTICATE);
    let message = AuthenticateMessage::decode(&bytes).unwrap();
    assert_eq!(message.to_bytes().unwrap(), bytes);
    let with_mic = AuthenticateMessage { mic: Some([7; 16]), ..message }.to_bytes().unwrap();
    assert_eq!(AuthenticateMessage::decode(&with_mic).unwrap().mic, Some([7; 16]));
    assert_eq!(with_mic[AuthenticateMessage::MIC_RANGE], [7; 16]);
}

#[test]
fn the_shortest_messages_of_old_clients_and_servers_are_read() {
    let negotiate = [&SIGNATURE[..], &[1, 0, 0, 0, 7, 2, 0, 0]].concat();
    assert_eq!(NegotiateMessage::decode(&negotiate).unwrap().flags, NegotiateFlags(0x207));
    let challenge = [&SIGNATURE[..], &[2, 0, 0, 0], &[0; 8], &[1, 2, 0, 0], &[9; 8]].concat();
    assert_eq!(ChallengeMessage::decode(&challenge).unwrap().server_challenge, [9; 8]);
}

#[test]
fn every_proper_prefix_is_refused() {
    for message in all() {
        // The first message may end with its flags.
        for length in (0..message.len()).filter(|length| !(message[8] == 1 && *length == 16)) {
            assert!(Message::decode(&message[..length]).is_err(), "{length} of {message:x?}");
        }
    }
}

#[test]
fn another_signature_or_number_is_refused() {
    for message in all() {
        for at in 0..12 {
            let mut wrong = message.clone();
            wrong[at] ^= 0x40;
            assert!(Message::decode(&wrong).is_err(), "{at}");
        }
    }
    let long = [&hex(AUTHENTICATE)[..], &vec![0; MAXIMUM_MESSAGE]].concat();
    assert!(Message::decode(&long).is_err());
}

/// The fields of AUTHENTICATE: where they stand in the fixed part.
const FIELDS: [(usize, &str); 6] = [
    (12, "LmChallengeResponse"),
    (20, "NtChallengeResponse"),
    (28, "DomainName"),
    (36, "UserName"),
    (44, "Workstation"),
    (52, "EncryptedRandomSessionKey"),
];

fn with_field(at: usize, length: u16, offset: u32) -> Vec<u8> {
    let mut bytes = hex(AUTHENTICATE);
    bytes[at..at + 2].copy_from_slice(&length.to_le_bytes());
    bytes[at + 4..at + 8].copy_from_slice(&offset.to_le_bytes());
    bytes
}

#[test]
fn a_field_that_points_outside_is_refused() {
    let end = u32::try_from(hex(AUTHENTICATE).len()).unwrap();
    for (at, name) in FIELDS {
        for (length, offset) in [(1, end), (2, end - 1), (u16::MAX, 72), (8, 0x8000_0000)] {
            let error = AuthenticateMessage::decode(&with_field(at, length, offset)).unwrap_err();
            assert_eq!(error, DecodeError::illegal(name));
        }
    }
}

#[test]
fn a_field_that_wraps_around_is_refused() {
    for (at, name) in FIELDS {
        for offset in [u32::MAX, u32::MAX - 7] {
            let error = AuthenticateMessage::decode(&with_field(at, 24, offset)).unwrap_err();
            assert_eq!(error, DecodeError::illegal(name));
        }
    }
}

#[test]
fn a_field_in_the_fixed_part_is_refused() {
    for (at, name) in FIELDS {
        for offset in [0, 12, 60, 63] {
            let error = AuthenticateMessage::decode(&with_field(at, 4, offset)).unwrap_err();
            assert_eq!(error, DecodeError::illegal(name));
        }
    }
}

#[test]
fn fields_that_overlap_are_refused() {
    let place = |at: usize| {
        let bytes = hex(AUTHENTICATE);
        u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap())
    };
    for (at, _) in FIELDS {
        for (other, _) in FIELDS.into_iter().filter(|(other, _)| *other != at) {
            assert!(AuthenticateMessage::decode(&with_field(at, 2, place(other))).is_err(), "{at} {other}");
            assert!(
                AuthenticateMessage::decode(&with_field(at, 2, place(other) + 1)).is_err(),
                "{at} {other}"
            );
        }
    }
}

#[test]
fn an_empty_field_has_no_place() {
    for (at, _) in FIELDS {
        for offset in [0, 72, u32::MAX] {
            assert!(AuthenticateMessage::decode(&with_field(at, 0, offset)).is_ok(), "{at} {offset}");
        }
    }
}

#[test]
fn a_hundred_thousand_mutations_of_each_message_are_read_or_refused() {
    for (message, seed) in all().into_iter().zip(0..) {
        let mut mutator = Mutator::new(seed);
        for _ in 0..100_000 {
            let mut bytes = message.clone();
            mutator.mutate_some(&mut bytes, 4);
            if let Ok(Message::Authenticate(message)) = Message::decode(&bytes) {
                let _read_or_refused = NtlmV2Response::decode(message.nt_response);
            } else if let Ok(Message::Challenge(message)) = Message::decode(&bytes) {
                let _read_or_refused = message.av_pairs();
            }
        }
    }
}
