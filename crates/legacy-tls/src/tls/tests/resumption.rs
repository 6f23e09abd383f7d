//! What a session was made with is what it goes on with: its version and its suite, in either role.

use wire::{Codec, Writer};

use super::conformance::{message, record, serve};
use super::*;
use crate::tls::extensions::Extensions;
use crate::tls::messages::{ClientHello, HEADER, ServerHello};

const V: [ProtocolVersion; 4] = ProtocolVersion::ALL;
const SUITE: CipherSuite = CipherSuite(0x002f);
const OTHER_SUITE: CipherSuite = CipherSuite(0x0035);

/// Both ends have a session of this version. Neither insists that master secrets are bound, which versions do differently.
fn with_session(made_in: ProtocolVersion) -> Fixture {
    let mut fixture = Fixture::new(&[made_in]);
    for policy in [&mut fixture.client.policy, &mut fixture.server.policy] {
        policy.suites = vec![SUITE, OTHER_SUITE];
        policy.extended_master_secret = ExtendedMasterSecret::Off;
    }
    fixture.run().unwrap();
    assert!(fixture.run().unwrap().client.negotiated.resumed, "{made_in}: there is a session");
    fixture
}

/// From now on both ends have these versions.
fn change_versions(fixture: &mut Fixture, versions: &[ProtocolVersion]) {
    let versions: Vec<ProtocolVersion> = V.into_iter().filter(|one| versions.contains(one)).collect();
    for policy in [&mut fixture.client.policy, &mut fixture.server.policy] {
        policy.highest = versions[0];
        policy.versions.clone_from(&versions);
    }
}

/// The identifier of the session that a client offers, and the client.
fn offered(fixture: &Fixture) -> (Vec<u8>, ClientConnection) {
    let mut client = fixture.client();
    let Ok(Progress::Continue { output, .. }) = client.advance(&[]) else { panic!("no hello") };
    let hello = ClientHello::from_bytes(&output[5 + HEADER..], "ClientHello").unwrap();
    (hello.session_id.to_vec(), client)
}

#[test]
fn a_session_is_not_taken_up_again_in_another_version() {
    for made_in in V {
        for now in V.into_iter().filter(|now| *now != made_in) {
            for versions in [&[now][..], &[now, made_in]] {
                let mut fixture = with_session(made_in);
                change_versions(&mut fixture, versions);
                let highest = fixture.client.policy.highest;
                let is_offered = !offered(&fixture).0.is_empty();
                assert_eq!(is_offered, versions.contains(&made_in), "{made_in} {versions:?}");
                let pair = fixture.run().unwrap_or_else(|(_, f)| panic!("{made_in} {now}: {}", f.error));
                for end in [&pair.client, &pair.server] {
                    assert_eq!(end.negotiated.version, highest);
                    assert_eq!(end.negotiated.resumed, highest == made_in, "{made_in} {versions:?}");
                }
            }
        }
    }
}

/// A hello that asks for a session in a version, whatever the session's version is.
fn hello_for(session_id: &[u8], version: ProtocolVersion) -> Vec<u8> {
    let hello = ClientHello {
        version,
        random: [7; 32],
        session_id: session_id.into(),
        suites: vec![SUITE, OTHER_SUITE],
        compression_methods: vec![0].into(),
        extensions: Extensions::default(),
    };
    let mut writer = Writer::new();
    hello.encode(&mut writer).unwrap();
    record(22, version, &message(1, &writer.into_vec()))
}

/// Spec: TLS12 section 7.4.1.3: the session's version is the one that the ServerHello says.
#[test]
fn a_server_takes_a_session_up_in_no_version_but_its_own() {
    for made_in in V {
        let mut fixture = with_session(made_in);
        // Without name, like the hello, and one that is kept on this side only.
        fixture.parameters.server_name = None;
        fixture.client.sessions = Arc::new(MemorySessions::new(1, 36_000));
        let session_id = fixture.run().unwrap().server.negotiated.session_id.clone();
        assert!(!session_id.is_empty());
        change_versions(&mut fixture, &V);
        for version in V {
            let flight = serve(&fixture, &hello_for(&session_id, version)).unwrap();
            let length = usize::from(u16::from_be_bytes([flight[7], flight[8]]));
            let hello = ServerHello::from_bytes(&flight[9..9 + length], "ServerHello").unwrap();
            assert_eq!(hello.version, version);
            assert_eq!(*hello.session_id == *session_id, version == made_in, "{made_in} in {version}");
        }
    }
}

/// What a client says to a server that takes up the session which it offers, so.
fn taken_up(fixture: &Fixture, version: ProtocolVersion, suite: CipherSuite) -> Result<Progress, Failure> {
    let (session_id, mut client) = offered(fixture);
    assert!(!session_id.is_empty(), "a session is offered");
    let hello = ServerHello {
        version,
        random: [8; 32],
        session_id: session_id.into(),
        suite,
        compression_method: 0,
        extensions: Extensions::default(),
    };
    let mut writer = Writer::new();
    hello.encode(&mut writer).unwrap();
    client.advance(&record(22, version, &message(2, &writer.into_vec())))
}

/// Spec: TLS12 section 7.4.1.3: "For resumed sessions, this field is the value from the state of the session being resumed."
#[test]
fn a_client_refuses_its_session_in_another_version_or_with_another_suite() {
    for made_in in V {
        let other_versions = V.into_iter().filter(|version| *version != made_in);
        let others = other_versions.map(|version| (version, SUITE, "version"));
        let suite = [(made_in, OTHER_SUITE, "cipher suite")];
        for (version, suite, what) in others.chain(suite) {
            let mut fixture = with_session(made_in);
            // A hello of the session's version has no room for a later one.
            change_versions(&mut fixture, &[made_in, version]);
            assert!(taken_up(&fixture, made_in, SUITE).is_ok(), "{made_in}: as it was");
            let failure = taken_up(&fixture, version, suite).unwrap_err();
            let differs = matches!(
                failure.error,
                Error::Misbehaved(Misbehaved::ResumedDifferently(how)) if how == what
            );
            assert!(differs, "{made_in}, {version} {suite}: {}", failure.error);
            let [major, minor] = version.0.to_be_bytes();
            assert_eq!(failure.output, [21, major, minor, 0, 2, 2, 47], "illegal_parameter");
            // It is not offered again.
            assert!(offered(&fixture).0.is_empty(), "{made_in}, {version} {suite}: forgotten");
        }
    }
}
