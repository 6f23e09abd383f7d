//! Messages through both halves, and buffers that are none.

use std::time::UNIX_EPOCH;

use sspi_core::{PackageInfo, SecPkgFlags, SecStatus};
use zeroize::Zeroizing;

use super::*;
use crate::attributes::{Established, Role};
use crate::messages::NegotiateFlags;

fn context(role: Role, flags: u32) -> Context {
    let info = Arc::new(PackageInfo {
        name: "NTLM".into(),
        aliases: vec![],
        comment: "".into(),
        capabilities: SecPkgFlags::NONE,
        version: 1,
        rpc_id: 10,
        max_token: 2888,
        oids: sspi_core::Oid::from_dotted("1.3.6.1.4.1.311.2.2.10").into_iter().collect(),
    });
    let account = Account { name: "alice".into(), domain: Some("CORP".into()), ..Account::default() };
    let established_as = Established {
        role,
        flags: NegotiateFlags(flags),
        exported: Zeroizing::new([0x55; 16]),
        client: "CORP\\alice".into(),
        server: "SERVER".into(),
        target: Some("host/server".into()),
        account: matches!(role, Role::Server(_)).then_some(account),
        is_version_1: false,
        start: UNIX_EPOCH,
    };
    established(false, Attributes::new(&info, established_as)).unwrap()
}

const SEALED: u32 = 0xe288_8235;
const SIGNED: u32 = 0xe288_8215;
const WITHOUT_ESS: u32 = 0xe200_8235;
const NOTHING: u32 = 0xe288_8205;

fn pair(flags: u32) -> (Context, Context) {
    let (client, server) = (sspi_core::IscRet::CONNECTION, sspi_core::AscRet::CONNECTION);
    (context(Role::Client(client), flags), context(Role::Server(server), flags))
}

/// A token, and data from one place to another each.
fn token_and(data: &[(usize, usize)]) -> Vec<SecBuffer> {
    let token = SecBuffer::new(SecBufferType::TOKEN, 0..16);
    let data = data.iter().map(|(from, to)| SecBuffer::new(SecBufferType::DATA, *from..*to));
    core::iter::once(token).chain(data).collect()
}

fn sealed(by: &mut dyn SendingHalf, text: &[u8]) -> Vec<u8> {
    let mut memory = [&[0; 16][..], text].concat();
    let mut buffers = token_and(&[(16, memory.len())]);
    by.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    memory
}

fn opened(by: &mut dyn ReceivingHalf, memory: &mut [u8]) -> Result<Vec<u8>, Error> {
    let mut buffers =
        [SecBuffer::new(SecBufferType::STREAM, 0..memory.len()), SecBuffer::new(SecBufferType::DATA, 0..0)];
    assert_eq!(by.decrypt_message(memory, &mut buffers)?, Decrypted::Message);
    Ok(memory[buffers[1].range()].to_vec())
}

#[test]
fn messages_go_both_ways_with_and_without_extended_session_security() {
    for flags in [SEALED, WITHOUT_ESS] {
        let (mut client, mut server) = pair(flags);
        for text in [&b"hello"[..], b"", &[7; 5000]] {
            let mut message = sealed(&mut client, text);
            assert!(text.is_empty() || message[16..] != *text);
            assert_eq!(opened(&mut server, &mut message).unwrap(), text);
            let mut answer = sealed(&mut server, text);
            assert_eq!(opened(&mut client, &mut answer).unwrap(), text);
        }
    }
}

#[test]
fn encrypt_message_protects_every_buffer() {
    let (mut client, mut server) = pair(SEALED);
    let text = b"the first the second the third";
    let mut memory = [&[0; 16][..], text].concat();
    let mut buffers = token_and(&[(16, 25), (26, 36), (37, 46)]);
    buffers[2].buffer_type = SecBufferType::DATA.with(SecBufferType::READONLY_WITH_CHECKSUM);
    buffers.push(SecBuffer::new(SecBufferType::DATA.with(SecBufferType::READONLY), 25..26));
    client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    assert_eq!(memory[26..36], *b"the second", "it is signed only");
    assert!(memory[16..25] != *b"the first" && memory[37..46] != *b"the third");
    for at in [16, 30, 45] {
        let mut altered = memory.clone();
        altered[at] ^= 1;
        let (_, mut fresh) = pair(SEALED);
        let error = fresh.decrypt_message(&mut altered, &mut buffers.clone()).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_MESSAGE_ALTERED, "{at}");
    }
    memory[25] = b'-';
    server.decrypt_message(&mut memory, &mut buffers).unwrap();
    assert_eq!(memory[16..46], *b"the first-the second the third");
}

#[test]
fn a_signature_is_verified_and_a_wrong_one_ends_the_context() {
    for flags in [SEALED, SIGNED, WITHOUT_ESS] {
        let (mut client, mut server) = pair(flags);
        let mut memory = [&[0; 16][..], b"signed"].concat();
        let mut buffers = token_and(&[(16, 22)]);
        client.make_signature(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
        assert_eq!(memory[16..], *b"signed");
        server.verify_signature(&memory, &buffers).unwrap();
        client.make_signature(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
        memory[20] ^= 1;
        let error = server.verify_signature(&memory, &buffers).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
        memory[20] ^= 1;
        assert_eq!(server.verify_signature(&memory, &buffers).unwrap_err().status(), error.status());
        let sent = server.make_signature(QualityOfProtection::Default, &mut memory, &mut buffers);
        assert!(sent.is_err(), "the other half knows it, too");
    }
}

#[test]
fn what_was_not_negotiated_is_not_pretended() {
    let (mut client, mut server) = pair(NOTHING);
    let mut memory = [0; 20];
    let mut buffers = token_and(&[(16, 20)]);
    let error = client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_QOP_NOT_SUPPORTED);
    assert!(server.decrypt_message(&mut memory, &mut buffers).is_err());
    client.encrypt_message(QualityOfProtection::WrapNoEncrypt, &mut memory, &mut buffers).unwrap();
    server.verify_signature(&memory, &buffers).unwrap();
}

/// As Samba's LDAP server, gss-ntlmssp's GSS_Wrap and pyspnego do it, and Windows for them.
#[test]
fn where_integrity_alone_was_negotiated_messages_can_be_encrypted_and_flags_do_not_say_so() {
    let (mut client, mut server) = pair(SIGNED);
    for attributes in [client.attributes(), server.attributes()] {
        let is_confidential = match attributes.flags() {
            sspi_core::ContextFlags::Initiator(flags) => flags.contains(sspi_core::IscRet::CONFIDENTIALITY),
            sspi_core::ContextFlags::Acceptor(flags) => flags.contains(sspi_core::AscRet::CONFIDENTIALITY),
        };
        assert!(!is_confidential);
    }
    for quality in [QualityOfProtection::Default, QualityOfProtection::WrapNoEncrypt] {
        let mut memory = *b"................a message";
        let mut buffers = token_and(&[(16, 25)]);
        client.encrypt_message(quality, &mut memory, &mut buffers).unwrap();
        if quality == QualityOfProtection::Default {
            assert_ne!(memory[16..], *b"a message");
            server.decrypt_message(&mut memory, &mut buffers).unwrap();
        } else {
            server.verify_signature(&memory, &buffers).unwrap();
        }
        assert_eq!(memory[16..], *b"a message");
    }
}

#[test]
fn a_truncated_reordered_duplicated_or_altered_sealed_message_is_refused() {
    let messages = || {
        let (mut client, server) = pair(SEALED);
        ([sealed(&mut client, b"one"), sealed(&mut client, b"two")], server)
    };
    let refused = |mut message: Vec<u8>, mut server: Context, status| {
        let error = opened(&mut server, &mut message).unwrap_err();
        assert_eq!(error.status(), status);
        assert!(
            message[message.len().min(16)..].iter().all(|byte| *byte == 0)
                || error.status() == SecStatus::SEC_E_OUT_OF_SEQUENCE
                || message.len() < 16
        );
        let again = opened(&mut server, &mut [0; 40]).unwrap_err();
        assert_eq!(again.status(), status, "the context is over");
    };
    for length in 0..19 {
        let ([one, _], server) = messages();
        refused(one[..length].to_vec(), server, SecStatus::SEC_E_MESSAGE_ALTERED);
    }
    let ([_, two], server) = messages();
    refused(two, server, SecStatus::SEC_E_OUT_OF_SEQUENCE);
    let ([one, _], mut server) = messages();
    opened(&mut server, &mut one.clone()).unwrap();
    refused(one, server, SecStatus::SEC_E_OUT_OF_SEQUENCE);
    for at in 0..19 {
        let ([mut one, _], mut server) = messages();
        one[at] ^= 0x20;
        assert!(opened(&mut server, &mut one).is_err(), "{at}");
    }
}

#[test]
fn none_of_a_hundred_thousand_damaged_sealed_messages_is_taken() {
    let (mut client, server) = pair(SEALED);
    let message = sealed(&mut client, b"a message of some length");
    let exported = export::export(&server).unwrap();
    let info = server.attributes().package_info().clone();
    let mut mutator = test_support::Mutator::new(21);
    for _ in 0..100_000 {
        let mut damaged = message.clone();
        let mutations = mutator.mutate_some(&mut damaged, 4);
        if damaged == message || damaged.len() < 16 {
            continue;
        }
        let mut server = export::import(&Arc::new(info.clone()), &exported).unwrap();
        let mut buffers = token_and(&[(16, damaged.len())]);
        let result = server.decrypt_message(&mut damaged, &mut buffers);
        assert!(result.is_err(), "{mutations:?}");
    }
    let mut whole = message.clone();
    let mut server = server;
    server.decrypt_message(&mut whole, &mut token_and(&[(16, message.len())])).unwrap();
}

#[test]
fn none_of_a_hundred_thousand_damaged_signatures_and_signed_messages_is_taken() {
    for flags in [SEALED, WITHOUT_ESS] {
        let (mut client, server) = pair(flags);
        let mut message = [&[0; 16][..], b"a message of some length"].concat();
        client
            .make_signature(QualityOfProtection::Default, &mut message, &mut token_and(&[(16, 40)]))
            .unwrap();
        let exported = export::export(&server).unwrap();
        let info = Arc::new(server.attributes().package_info().clone());
        let mut mutator = test_support::Mutator::new(22);
        for _ in 0..50_000 {
            let mut damaged = message.clone();
            let mutations = mutator.mutate_some(&mut damaged, 4);
            // The padding of a signature without extended session security says nothing.
            let is_same = damaged.len() == message.len()
                && (0..message.len())
                    .all(|at| damaged[at] == message[at] || (flags == WITHOUT_ESS && (4..8).contains(&at)));
            if is_same || damaged.len() < 16 {
                continue;
            }
            let mut server = export::import(&info, &exported).unwrap();
            let result = server.verify_signature(&damaged, &token_and(&[(16, damaged.len())]));
            assert!(result.is_err(), "{mutations:?}");
        }
        let mut server = server;
        server.verify_signature(&message, &token_and(&[(16, 40)])).unwrap();
    }
}

#[test]
fn wrong_buffers_are_refused_and_harm_nothing() {
    let (mut client, mut server) = pair(SEALED);
    let buffer = |kind, range| SecBuffer::new(kind, range);
    let (token, data) = (SecBufferType::TOKEN, SecBufferType::DATA);
    for mut wrong in [
        vec![buffer(data, 16..20)],
        vec![buffer(token, 0..15), buffer(data, 16..20)],
        vec![buffer(token, 0..16), buffer(token, 20..36), buffer(data, 16..20)],
        vec![buffer(token, 0..16), buffer(data, 15..20)],
        vec![buffer(token, 0..16), buffer(data, 16..20), buffer(data, 18..22)],
        vec![buffer(token, 0..16), buffer(data, 16..41)],
        vec![buffer(token, 0..16), buffer(data, usize::MAX..usize::MAX)],
        vec![buffer(token, 0..16), buffer(SecBufferType::STREAM_TRAILER, 16..20)],
    ] {
        let mut memory = [0; 40];
        for result in [
            client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut wrong),
            client.make_signature(QualityOfProtection::Default, &mut memory, &mut wrong),
            server.decrypt_message(&mut memory, &mut wrong).map(drop),
            server.verify_signature(&memory, &wrong).map(drop),
        ] {
            assert_eq!(result.unwrap_err().status(), SecStatus::SEC_E_INVALID_TOKEN, "{wrong:?}");
        }
        assert_eq!(memory, [0; 40]);
    }
    let mut message = sealed(&mut client, b"unharmed");
    assert_eq!(opened(&mut server, &mut message).unwrap(), b"unharmed");
}

#[test]
fn the_halves_work_on_two_threads() {
    let (client, server) = pair(SEALED);
    let SplitContext { sender: mut to_server, receiver: mut at_client, .. } =
        Box::new(client).split().unwrap();
    let SplitContext { sender: mut to_client, receiver: mut at_server, .. } =
        Box::new(server).split().unwrap();
    let flow = |sender: &mut dyn SendingHalf, receiver: &mut dyn ReceivingHalf| {
        for number in 0..200_u32 {
            let text = number.to_le_bytes();
            assert_eq!(opened(receiver, &mut sealed(sender, &text)).unwrap(), text);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| flow(&mut *to_server, &mut *at_server));
        flow(&mut *to_client, &mut *at_client);
    });
}

#[test]
fn without_extended_session_security_a_context_stays_whole() {
    let (client, mut server) = pair(WITHOUT_ESS);
    let SplitRefused { mut context, error } = Box::new(client).split().unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    let mut message = sealed(&mut *context, b"it goes on");
    assert_eq!(opened(&mut server, &mut message).unwrap(), b"it goes on");
}

#[test]
fn a_context_goes_on_in_another_process() {
    for flags in [SEALED, SIGNED | 0x20, WITHOUT_ESS, NOTHING] {
        let (mut client, mut server) = pair(flags);
        if flags != NOTHING {
            opened(&mut server, &mut sealed(&mut client, b"before")).unwrap();
            opened(&mut client, &mut sealed(&mut server, b"before")).unwrap();
        }
        let exported = SecurityContext::export(&server).unwrap();
        assert_eq!(exported.package, "NTLM");
        assert!(!format!("{exported:?}").contains("85"), "the key is not shown");
        let info = Arc::new(server.attributes().package_info().clone());
        let mut imported = export::import(&info, &exported).unwrap();
        assert_eq!(imported.security_context_token().unwrap().name, "alice");
        let (here, there) = (server.attributes(), imported.attributes());
        assert_eq!(here.flags(), there.flags());
        assert_eq!(here.native_names().unwrap(), there.native_names().unwrap());
        assert_eq!(here.lifespan().unwrap(), there.lifespan().unwrap());
        let keys = [here, there].map(|attributes| attributes.session_key().unwrap().expose_secret().clone());
        assert_eq!(keys[0], keys[1]);
        if flags != NOTHING {
            assert_eq!(opened(&mut *imported, &mut sealed(&mut client, b"behind")).unwrap(), b"behind");
            assert_eq!(opened(&mut client, &mut sealed(&mut *imported, b"behind")).unwrap(), b"behind");
        }
    }
}

/// Two that go on from the same stream encrypt two messages with the same bytes: one is the other's key.
#[test]
fn a_context_that_was_exported_protects_nothing_more() {
    for (flags, status) in [
        (SEALED, Some(SecStatus::SEC_E_INVALID_HANDLE)),
        (WITHOUT_ESS, Some(SecStatus::SEC_E_INVALID_HANDLE)),
        (NOTHING, None),
    ] {
        let (mut client, mut server) = pair(flags);
        SecurityContext::export(&client).unwrap();
        let mut memory = [0; 20];
        let buffers =
            || [SecBuffer::new(SecBufferType::TOKEN, 0..16), SecBuffer::new(SecBufferType::DATA, 16..20)];
        let quality = QualityOfProtection::Default;
        let again = SecurityContext::export(&client).map(drop).map_err(|error| error.status());
        assert_eq!(again.err(), status);
        if let Some(status) = status {
            let refused = [
                client.encrypt_message(quality, &mut memory, &mut buffers()).unwrap_err(),
                client.make_signature(quality, &mut memory, &mut buffers()).unwrap_err(),
                client.verify_signature(&memory, &buffers()).map(drop).unwrap_err(),
                opened(&mut client, &mut sealed(&mut server, b"late")).map(drop).unwrap_err(),
            ];
            assert!(refused.iter().all(|error| error.status() == status), "{refused:?}");
        }
        assert_eq!(client.attributes().native_names().unwrap().0, "CORP\\alice", "what it was is known");
    }
}

#[test]
fn what_is_no_exported_context_is_refused() {
    let (client, _) = pair(SEALED);
    let exported = SecurityContext::export(&client).unwrap();
    let info = Arc::new(client.attributes().package_info().clone());
    let content = exported.content.expose_secret();
    for length in 0..content.len() {
        let cut = ExportedContext {
            package: "NTLM".into(),
            content: sspi_core::Secret::new(content[..length].to_vec()),
        };
        let error = export::import(&info, &cut).map(drop).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN, "{length}");
    }
    let others = ExportedContext { package: "Kerberos".into(), content: exported.content.clone() };
    assert!(export::import(&info, &others).is_err());
}

#[test]
fn attributes_say_what_there_is() {
    let (client, server) = pair(SEALED);
    let attributes = client.attributes();
    let sizes = attributes.sizes().unwrap();
    assert_eq!(
        (sizes.max_token, sizes.max_signature, sizes.block_size, sizes.security_trailer),
        (2888, 16, 0, 16)
    );
    let status = |error: Error| error.status();
    assert_eq!(attributes.stream_sizes().map_err(status), Err(SecStatus::SEC_E_UNSUPPORTED_FUNCTION));
    let key = attributes.key_info().unwrap();
    assert_eq!((key.key_size, key.encrypt_algorithm_name.as_ref()), (128, "RSADSI RC4"));
    assert_eq!((key.signature_algorithm.0, key.signature_algorithm_name.as_ref()), (0xFFFF_FF76, "HMAC-MD5"));
    let (of_crc, _) = pair(WITHOUT_ESS);
    let key = of_crc.attributes().key_info().unwrap();
    assert_eq!(
        (key.signature_algorithm.0, key.signature_algorithm_name.as_ref()),
        (0xFFFF_FF7C, "RSADSI RC4-CRC32")
    );
    assert_eq!(of_crc.attributes().weaknesses()[0].name, "no-extended-session-security");
    assert_eq!((attributes.package_info().name.as_ref(), attributes.package_info().rpc_id), ("NTLM", 10));
    let lifespan = attributes.lifespan().unwrap();
    assert!(lifespan.start.is_some() && lifespan.expiry.is_none());
    assert_eq!(attributes.session_key().unwrap().expose_secret().len(), 16);
    assert_eq!(attributes.native_names().unwrap().0, "CORP\\alice");
    assert_eq!(attributes.names().unwrap(), "CORP\\alice");
    assert_eq!(attributes.client_specified_target().unwrap(), "host/server");
    assert_eq!(attributes.negotiation_info().unwrap().package.name, "NTLM");
    assert_eq!(server.security_context_token().unwrap().domain.as_deref(), Some("CORP"));
    assert_eq!(client.security_context_token().map_err(status), Err(SecStatus::SEC_E_NO_IMPERSONATION));
}
