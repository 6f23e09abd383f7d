//! What Windows itself answers about NTLM, row by row, where our interface has the same situation. The rows that Rust's types
//! make impossible are listed in `docs/sspi-map.md`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, in its helpers too"
)]

mod support;

use opensspi_ntlm::ExtendedSessionSecurity;
use opensspi_ntlm::messages::{AvPairs, NegotiateFlags};
use sspi_core::{
    AcceptRequest, AlgId, CredentialUse, CredentialsRequest, InitializeRequest, IscReq, NegotiationState,
    QualityOfProtection, SecBuffer, SecBufferType, SecPkgFlags, SecStatus, SecurityContext,
    SecurityPackage as _, Step,
};
use support::{
    DOMAIN, HandMade, PASSWORD, USER, World, complete, handshake, identity, run, sealed, step, token, world,
};

fn both() -> (World, World) {
    (world(1, |_| ()), world(2, |_| ()))
}

fn requesting(flags: IscReq) -> InitializeRequest {
    InitializeRequest { flags, ..InitializeRequest::default() }
}

/// Both contexts of a handshake in which the client requested this.
fn established(flags: IscReq) -> [Box<dyn SecurityContext>; 2] {
    let (client, server) = both();
    let mut initiator = client.client(PASSWORD, &requesting(flags));
    handshake(&mut *initiator, &mut *server.server(&AcceptRequest::default())).unwrap()
}

/// The context of a server whose client has no extended session security.
fn without_session_security() -> Box<dyn SecurityContext> {
    let server = world(2, |config| config.extended_session_security = ExtendedSessionSecurity::Optional);
    let flags = HandMade::FLAGS.without(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
    let client = HandMade { flags, ..HandMade::new(AvPairs::default()) };
    complete(client.log_on(&mut *server.server(&AcceptRequest::default()))).0
}

/// A token of 16 bytes, and data behind it.
fn buffers(memory: &[u8]) -> [SecBuffer; 2] {
    [SecBuffer::new(SecBufferType::TOKEN, 0..16), SecBuffer::new(SecBufferType::DATA, 16..memory.len())]
}

const QOP: QualityOfProtection = QualityOfProtection::Default;

#[test]
fn n1_the_package_says_what_windows_says() {
    let (world, _) = both();
    let info = world.info();
    let expected = SecPkgFlags::INTEGRITY
        | SecPkgFlags::PRIVACY
        | SecPkgFlags::TOKEN_ONLY
        | SecPkgFlags::CONNECTION
        | SecPkgFlags::MULTI_REQUIRED
        | SecPkgFlags::IMPERSONATION
        | SecPkgFlags::ACCEPT_WIN32_NAME
        | SecPkgFlags::NEGOTIABLE
        | SecPkgFlags::LOGON
        | SecPkgFlags::READONLY_WITH_CHECKSUM;
    assert_eq!(info.capabilities, expected);
    assert_eq!((info.name.as_ref(), info.version, info.rpc_id), ("NTLM", 1, 10));
}

#[test]
fn n2_an_outbound_credential_is_good_with_whatever_part_of_an_identity() {
    let (world, _) = both();
    for (user, domain, password) in
        [(USER, DOMAIN, PASSWORD), (USER, "", PASSWORD), ("", DOMAIN, PASSWORD), (USER, DOMAIN, "")]
    {
        assert!(world.outbound(identity(user, domain, password)).is_ok(), "{user:?} {domain:?}");
    }
}

#[test]
fn n7_a_token_is_shorter_than_the_largest_one() {
    let (client, server) = both();
    let mut initiator = client.client(PASSWORD, &sealed());
    let tokens = run(&mut *initiator, &mut *server.server(&AcceptRequest::default()));
    let largest = usize::try_from(client.info().max_token).unwrap();
    for token in [tokens.negotiate, tokens.challenge, tokens.authenticate] {
        assert!(!token.is_empty() && token.len() < largest, "{}", token.len());
    }
}

#[test]
fn n8_the_first_message_asks_to_sign_and_to_seal_as_the_flags_say() {
    let (client, _) = both();
    for (flags, sign, seal) in [
        (IscReq::NONE, false, false),
        (IscReq::CONNECTION, false, false),
        (IscReq::EXTENDED_ERROR, false, false),
        (IscReq::MUTUAL_AUTH, false, false),
        (IscReq::USE_DCE_STYLE, false, false),
        (IscReq::DELEGATE, false, false),
        (IscReq::INTEGRITY, true, false),
        (IscReq::REPLAY_DETECT, true, false),
        (IscReq::SEQUENCE_DETECT, true, false),
    ] {
        let low = token(step(&mut *client.client(PASSWORD, &requesting(flags)), &[]))[12];
        assert_eq!((low & 0x10 != 0, low & 0x20 != 0), (sign, seal), "{flags:?}");
    }
    let low = token(step(&mut *client.client(PASSWORD, &requesting(IscReq::CONFIDENTIALITY)), &[]))[12];
    assert_eq!(low & 0x20, 0x20);
}

#[test]
fn n9_a_wrong_password_is_logon_denied_at_the_server_when_the_client_is_done() {
    let (client, server) = both();
    let mut acceptor = server.server(&AcceptRequest::default());
    let tokens = run(&mut *client.client("wrong", &sealed()), &mut *acceptor);
    let denied = support::accept(&mut *acceptor, &tokens.authenticate, &support::one_account);
    assert_eq!(denied.map(drop).unwrap_err().status(), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn n10_sizes_are_those_of_windows() {
    let [client, _] = established(IscReq::CONFIDENTIALITY);
    let sizes = client.attributes().sizes().unwrap();
    assert_eq!((sizes.max_token, sizes.max_signature), (2888, 16));
    assert_eq!((sizes.security_trailer, sizes.block_size), (16, 0));
}

#[test]
fn n11_stream_sizes_are_unsupported() {
    let [client, _] = established(IscReq::CONFIDENTIALITY);
    let status = client.attributes().stream_sizes().unwrap_err().status();
    assert_eq!(status, SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

#[test]
fn n12_key_info_is_the_one_of_windows_with_and_without_session_security() {
    let [client, _] = established(IscReq::CONFIDENTIALITY);
    for (context, number, name) in
        [(client, 0xffff_ff76, "HMAC-MD5"), (without_session_security(), 0xffff_ff7c, "RSADSI RC4-CRC32")]
    {
        let info = context.attributes().key_info().unwrap();
        assert_eq!((info.signature_algorithm, info.signature_algorithm_name.as_ref()), (AlgId(number), name));
        assert_eq!((info.encrypt_algorithm, &*info.encrypt_algorithm_name), (AlgId::RC4, "RSADSI RC4"));
        assert_eq!(info.key_size, 128);
    }
}

#[test]
fn n13_there_is_a_session_key_and_it_is_the_same_at_both_ends() {
    let keys = established(IscReq::CONFIDENTIALITY)
        .map(|context| context.attributes().session_key().unwrap().expose_secret().clone());
    assert!(!keys[0].is_empty());
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn n14_negotiation_info_is_complete_and_names_the_package() {
    let (world, _) = both();
    let [client, _] = established(IscReq::CONFIDENTIALITY);
    let info = client.attributes().negotiation_info().unwrap();
    assert_eq!(info.state, NegotiationState::Complete);
    assert_eq!(&info.package, world.info());
}

#[test]
fn n15_a_signature_without_a_token_buffer_is_invalid_token() {
    let [mut client, _] = established(IscReq::INTEGRITY);
    let mut memory = *b"0123456789abcdefdata";
    let mut data = [SecBuffer::new(SecBufferType::DATA, 16..20)];
    let status = client.make_signature(QOP, &mut memory, &mut data).unwrap_err().status();
    assert_eq!(status, SecStatus::SEC_E_INVALID_TOKEN);
}

#[test]
fn n16_a_context_that_protects_nothing_makes_the_empty_signature_and_takes_it() {
    let [mut client, mut server] = established(IscReq::NONE);
    let mut memory = [&[0xee; 16][..], b"data"].concat();
    let mut signed = buffers(&memory);
    client.make_signature(QOP, &mut memory, &mut signed).unwrap();
    assert_eq!(memory[..16], [&[1, 0, 0, 0][..], &[0; 12]].concat());
    server.verify_signature(&memory, &signed).unwrap();
}

#[test]
fn n17_a_wrong_signature_is_message_altered() {
    let [mut client, mut server] = established(IscReq::INTEGRITY);
    let mut memory = [&[0; 16][..], b"data"].concat();
    let mut signed = buffers(&memory);
    client.make_signature(QOP, &mut memory, &mut signed).unwrap();
    memory[19] ^= 1;
    let status = server.verify_signature(&memory, &signed).unwrap_err().status();
    assert_eq!(status, SecStatus::SEC_E_MESSAGE_ALTERED);
}

#[test]
fn n18_a_trailer_with_a_checksum_begins_with_its_version_and_zeros() {
    let mut server = without_session_security();
    let mut memory = [&[0xee; 16][..], b"Hello, world!"].concat();
    let mut message = buffers(&memory);
    server.encrypt_message(QOP, &mut memory, &mut message).unwrap();
    assert_eq!(memory[..8], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_ne!(memory[8..16], [0xee; 8]);
    assert_ne!(&memory[16..], b"Hello, world!");
}

#[test]
fn n19_several_data_buffers_are_covered_and_read_only_ones_are_not_encrypted() {
    let data = SecBufferType::DATA;
    let read_only = data.with(SecBufferType::READONLY_WITH_CHECKSUM);
    let [mut client, mut server] = established(IscReq::CONFIDENTIALITY | IscReq::INTEGRITY);
    let plain = [&[0; 16][..], b"headbodytail"].concat();
    let mut message = [
        SecBuffer::new(read_only, 16..20),
        SecBuffer::new(data, 20..24),
        SecBuffer::new(SecBufferType::TOKEN, 0..16),
        SecBuffer::new(read_only, 24..28),
    ];
    let mut memory = plain.clone();
    client.encrypt_message(QOP, &mut memory, &mut message).unwrap();
    assert_eq!((&memory[16..20], &memory[24..]), (&b"head"[..], &b"tail"[..]));
    assert_ne!(&memory[20..24], b"body");
    server.decrypt_message(&mut memory, &mut message).unwrap();
    assert_eq!(memory[16..], plain[16..]);

    client.make_signature(QOP, &mut memory, &mut message).unwrap();
    server.verify_signature(&memory, &message).unwrap();
    client.make_signature(QOP, &mut memory, &mut message).unwrap();
    memory[27] ^= 1;
    let status = server.verify_signature(&memory, &message).unwrap_err().status();
    assert_eq!(status, SecStatus::SEC_E_MESSAGE_ALTERED, "the read-only buffers are covered");
}

#[test]
fn n20_two_contexts_of_one_credential_both_continue() {
    let (world, _) = both();
    let credentials = world.outbound(identity(USER, DOMAIN, PASSWORD)).unwrap();
    for _ in 0..2 {
        let mut context = credentials.initialize(&sealed()).unwrap();
        assert!(matches!(step(&mut *context, &[]), Ok(Step::Continue { .. })));
    }
}

#[test]
fn n21_a_credential_without_identity_has_none_where_nobody_is_configured() {
    // Windows takes the user who is logged on; outside Windows there is none, and the configuration says who it is.
    let (world, _) = both();
    let request = CredentialsRequest::configured(CredentialUse::Outbound);
    let refused = world.package.acquire_credentials_handle(&request).map(drop).unwrap_err();
    assert_eq!(refused.status(), SecStatus::SEC_E_NO_CREDENTIALS);
}
