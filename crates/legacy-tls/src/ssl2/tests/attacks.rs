//! The known attacks for which there is a defence.

use crypto::private_key::PrivateKey;
use crypto::rsa::PublicKey;
use wire::Codec;

use super::*;
use crate::ssl2::key_exchange::{make_master_key, read_master_key};
use crate::ssl2::messages::{ClientMasterKey, ServerHello};

fn rsa_key() -> (Arc<Identity>, PublicKey) {
    let identity = rsa1024();
    let PrivateKey::Rsa(key) = identity.key() else { panic!() };
    let public = key.public_key().clone();
    (identity, public)
}

fn ssl2_only() -> Policy {
    everything(&[SSL20])
}

fn with_tls() -> Policy {
    everything(&[ProtocolVersion::TLS10, SSL20])
}

struct Server {
    identity: Arc<Identity>,
    secrets: ExportKeys,
    policy: Policy,
}

impl Server {
    fn new(policy: Policy) -> Self {
        Self { identity: rsa_key().0, secrets: ExportKeys::default(), policy }
    }

    fn read(&self, row: &'static KindRow, message: &ClientMasterKey<'_>) -> Result<Vec<u8>, Error> {
        self.read_with(row, message, &Seeded::new(9))
    }

    fn read_with(
        &self,
        row: &'static KindRow,
        message: &ClientMasterKey<'_>,
        random: &Seeded,
    ) -> Result<Vec<u8>, Error> {
        let PrivateKey::Rsa(key) = self.identity.key() else { panic!() };
        let master = read_master_key(message, row, key, &self.secrets, &self.policy, random)?;
        Ok(master.key().to_vec())
    }
}

/// A message of ours with this instead of the encrypted key.
fn with_encrypted(row: &'static KindRow, encrypted: Vec<u8>, public: &PublicKey) -> ClientMasterKey<'static> {
    let random = Seeded::new(3);
    let (_, message) = make_master_key(row, public, &ssl2_only(), &*random).unwrap();
    ClientMasterKey { encrypted_key: encrypted.into(), ..message }
}

/// A secret of so many bytes under the key.
fn encrypted(len: usize, public: &PublicKey) -> Vec<u8> {
    public.encrypt_pkcs1(&vec![0x42; len], &*Seeded::new(8)).unwrap()
}

fn good(row: &'static KindRow, public: &PublicKey) -> ClientMasterKey<'static> {
    with_encrypted(row, encrypted(row.secret_len, public), public)
}

/// Everything that is not right and as long as it must be.
fn bad(row: &'static KindRow, public: &PublicKey) -> Vec<ClientMasterKey<'static>> {
    let len = public.modulus_len();
    let mut damaged = encrypted(row.secret_len, public);
    damaged[50] ^= 1;
    let one = [vec![0; len - 1], vec![1]].concat();
    let others = [0, 1, row.secret_len - 1, row.secret_len + 1, 48].map(|other| encrypted(other, public));
    [damaged, one, vec![0; len]].into_iter().chain(others).map(|e| with_encrypted(row, e, public)).collect()
}

#[test]
fn a_client_that_has_tls_marks_its_padding_and_a_server_that_has_it_refuses_that() {
    let (_, public) = rsa_key();
    for (client, server, is_rollback) in [
        (ssl2_only(), ssl2_only(), false),
        (ssl2_only(), with_tls(), false),
        (with_tls(), ssl2_only(), false),
        (with_tls(), with_tls(), true),
    ] {
        for row in KINDS {
            let random = Seeded::new(1);
            let (master, message) = make_master_key(row, &public, &client, &*random).unwrap();
            match Server::new(server.clone()).read(row, &message) {
                Ok(key) => {
                    assert!(!is_rollback);
                    assert_eq!(key, master.key(), "{}", row.suite.name);
                }
                Err(error) => {
                    assert!(matches!(error, Error::Misbehaved(Misbehaved::Downgraded)), "{error}");
                    assert!(is_rollback);
                }
            }
        }
    }
}

#[test]
fn a_wrong_key_is_another_key_the_same_each_time() {
    let (_, public) = rsa_key();
    let server = Server::new(with_tls());
    for row in KINDS {
        let right = server.read(row, &good(row, &public)).unwrap();
        assert!(right.ends_with(&vec![0x42; row.secret_len]));
        for message in bad(row, &public) {
            let first = server.read(row, &message).unwrap();
            let again = server.read(row, &message).unwrap();
            assert_eq!(first.len(), right.len());
            assert_eq!(first, again, "two answers would differ, and tell");
            assert!(!first.ends_with(&[0x42; 5]), "{}", row.suite.name);
            let other = Server::new(with_tls()).read_with(row, &message, &Seeded::new(10)).unwrap();
            assert_ne!(first, other, "nobody else can know it");
        }
    }
}

#[test]
fn a_wrong_key_of_one_kind_tells_nothing_of_that_of_another() {
    let (_, public) = rsa_key();
    let server = Server::new(ssl2_only());
    let wrong = vec![0; public.modulus_len()];
    let secrets: Vec<Vec<u8>> = KINDS
        .iter()
        .map(|row| {
            let key = server.read(row, &with_encrypted(row, wrong.clone(), &public)).unwrap();
            key[row.clear_len()..].to_vec()
        })
        .collect();
    for (a, one) in secrets.iter().enumerate() {
        for other in &secrets[a + 1..] {
            assert!(one.len() == other.len() || one[..5] != other[..5]);
        }
    }
}

#[test]
fn only_what_everybody_can_see_of_an_encrypted_key_is_an_error() {
    let (_, public) = rsa_key();
    let row = &KINDS[0];
    let len = public.modulus_len();
    for encrypted in [vec![0; len - 1], vec![0; len + 1], vec![], vec![0xff; len]] {
        let error =
            Server::new(with_tls()).read(row, &with_encrypted(row, encrypted, &public)).err().unwrap();
        assert!(matches!(error, Error::Misbehaved(Misbehaved::BadPremaster)), "{error}");
    }
}

#[test]
fn a_server_answers_good_and_bad_padding_in_the_same_way() {
    let (_, public) = rsa_key();
    for row in KINDS {
        let mut fixture = fixture().suite(row.suite.suite);
        fixture.server.identities = vec![rsa1024()];
        let answer = |message: &ClientMasterKey<'_>| {
            let (mut server, _) = server_after_hello(&fixture);
            let (first, used) = match send_master_key(&mut server, message).unwrap() {
                Progress::Continue { output, used } => (output.len(), used),
                other => panic!("{other:?}"),
            };
            // A CLIENT-FINISHED that is none.
            let failure = server.advance(&[&[0x80, 40][..], &[0x55; 40]].concat()).err().unwrap();
            assert!(matches!(failure.error, Error::Record(record::RecordError::BadMac)));
            (first, used, failure.output)
        };
        let expected = answer(&good(row, &public));
        assert!(expected.2.is_empty());
        for message in bad(row, &public) {
            assert_eq!(answer(&message), expected, "{}", row.suite.name);
        }
    }
}

/// A server that has heard a hello, and what it offered.
fn server_after_hello(fixture: &Fixture) -> (ServerConnection, Vec<CipherKind>) {
    let mut server = fixture.server();
    let hello = hello_of(&mut fixture.client());
    let Progress::Continue { output, .. } = server.advance(&hello).unwrap() else { panic!() };
    let hello = ServerHello::from_bytes(&output[3..], "").unwrap();
    (server, hello.offer.unwrap().kinds)
}

fn send_master_key(
    server: &mut ServerConnection,
    message: &ClientMasterKey<'_>,
) -> Result<Progress, Failure> {
    let mut bytes = vec![2];
    bytes.extend(message.to_bytes().unwrap());
    let mut record = Vec::new();
    ssl2::record::Sealing::clear().append(&bytes, &mut record).unwrap();
    server.advance(&record)
}

#[test]
fn no_byte_of_a_key_travels_in_clear_where_the_kind_has_none() {
    let (_, public) = rsa_key();
    for row in KINDS {
        for extra in 1..=row.key_len {
            let mut fixture = fixture();
            fixture.server.identities = vec![rsa1024()];
            let (mut server, _) = server_after_hello(&fixture);
            let mut message = good(row, &public);
            message.clear_key = vec![0; row.clear_len() + extra].into();
            let failure = send_master_key(&mut server, &message).err().unwrap();
            assert!(matches!(failure.error, Error::Decode(ref error) if error.field.ends_with("clear_key")));
            assert!(failure.output.is_empty());
        }
    }
}

#[test]
fn an_export_kind_cannot_be_slipped_in_and_a_strong_one_cannot_be_shortened() {
    let (_, public) = rsa_key();
    let mut fixture = fixture();
    fixture.server.identities = vec![rsa1024()];
    fixture.server.policy.suites = vec![CipherSuite(0xff01), CipherSuite(0xff07)];
    for row in KINDS {
        let (mut server, offered) = server_after_hello(&fixture);
        let message = good(row, &public);
        let accepted = send_master_key(&mut server, &message).is_ok();
        assert_eq!(accepted, offered.contains(&row.kind), "{}", row.suite.name);
    }
    // The key of an export kind under the name of the strong one.
    let (mut server, _) = server_after_hello(&fixture);
    let export = CipherKind([2, 0, 0x80]).row().unwrap();
    let mut message = good(export, &public);
    message.kind = CipherKind([1, 0, 0x80]);
    assert!(send_master_key(&mut server, &message).is_err());
}

#[test]
fn a_server_that_chooses_what_was_not_offered_is_refused() {
    let fixture = fixture().suite(CipherSuite(0xff01));
    let mut client = fixture.client();
    hello_of(&mut client);
    let offer = ssl2::messages::ServerOffer {
        certificate: rsa1024().chain()[0].clone().into(),
        kinds: vec![CipherKind([2, 0, 0x80])],
    };
    let hello = ServerHello { version: 2, offer: Some(offer), connection_id: vec![1; 16].into() };
    let mut message = vec![4];
    message.extend(hello.to_bytes().unwrap());
    let mut record = Vec::new();
    ssl2::record::Sealing::clear().append(&message, &mut record).unwrap();
    let failure = client.advance(&record).err().unwrap();
    assert!(matches!(failure.error, Error::Incompatible(Incompatible::NoCipherKind { .. })));
}

#[test]
fn an_error_in_clear_ends_a_protected_handshake_and_stands_for_nothing_else() {
    let mut fixture = fixture();
    fixture.server.client_auth = ClientAuth::Optional;
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    // Where CLIENT-CERTIFICATE or its refusal is awaited somebody says in clear that there is none.
    let mut flights = 0;
    exchange.tamper = Box::new(move |side, bytes| {
        if side == Side::Client && !bytes.is_empty() {
            flights += 1;
            if flights == 3 {
                *bytes = vec![0x80, 3, 0, 0, 2];
            }
        }
    });
    let failure = exchange.run_damaged().unwrap();
    assert!(matches!(failure.error, Error::Ssl2ErrorReceived(Ssl2ErrorCode::NO_CERTIFICATE)));
}

#[test]
fn a_certificate_of_somebody_else_is_refused() {
    // Each handshake has another challenge and other keys: what was signed for one is good for no other.
    let mut fixture = fixture().suite(CipherSuite(0xff01));
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    let scheme = crypto::signature::SignatureScheme::RsaPkcs1(crypto::hash::Hash::Md5);
    let key = certificate::public_key(&rsa1024().chain()[0]).unwrap();
    let random = Seeded::new(1);
    let signature = rsa1024().key().sign(scheme, b"something else", &*random).unwrap();
    assert!(key.verify(scheme, b"something else", &signature).is_ok());
    let master = ssl2::keys::Master::new(&KINDS[0], &[1; 16], &[]);
    let keys = ssl2::keys::KeyMaterial::derive(&master, &[2; 16], &[3; 16]);
    let signed = keys.signed(&[4; 16], &rsa2048().chain()[0]);
    let own = rsa1024().key().sign(scheme, &signed, &*random).unwrap();
    for (challenge, certificate) in [([4; 16], rsa1024()), ([5; 16], rsa2048())] {
        let other = keys.signed(&challenge, &certificate.chain()[0]);
        assert!(key.verify(scheme, &other, &own).is_err());
    }
    assert!(key.verify(scheme, &signed, &own).is_ok());
}
