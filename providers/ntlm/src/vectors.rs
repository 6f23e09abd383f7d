//! The vectors of MS-NLMP section 4.2 and more: `testdata/vectors.json` says where each is from. A row that nothing is compared
//! with fails the test.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use sspi_core::{
    AuthData, AuthIdentity, ChannelBindings, Clock, CredentialUse, CredentialsRequest, InitializeRequest,
    IscReq, Secret, SecurityPackage, Step,
};
use test_support::hex::{decode as hex, encode};
use zeroize::Zeroizing;

use crate::compute::*;
use crate::messages::{
    AuthenticateMessage, AvId, ChallengeMessage, NegotiateFlags, NtlmV2Response, NtlmV2Temp,
};
use crate::seal::{Piece, Sender, directions, seal_key, sign_key};
use crate::{
    Environment, ExtendedSessionSecurity, LmCompatibilityLevel, NoSecrets, Ntlm, NtlmConfig, Random,
    Reflection,
};

/// The rows, by their paths, and those that something was compared with.
struct Vectors {
    rows: BTreeMap<String, String>,
    seen: RefCell<BTreeSet<String>>,
}

impl Vectors {
    fn read() -> Self {
        fn collect(value: &Value, path: &str, rows: &mut BTreeMap<String, String>) {
            match value {
                Value::String(text) => drop(rows.insert(path.to_owned(), text.clone())),
                Value::Array(values) => {
                    values
                        .iter()
                        .enumerate()
                        .for_each(|(at, value)| collect(value, &format!("{path}/{at}"), rows));
                }
                Value::Object(values) => {
                    let values = values.iter().filter(|(name, _)| *name != "source");
                    values.for_each(|(name, value)| {
                        collect(value, format!("{path}/{name}").trim_matches('/'), rows)
                    });
                }
                other => panic!("{path}: {other}"),
            }
        }
        let mut rows = BTreeMap::new();
        let whole = serde_json::from_str(include_str!("../testdata/vectors.json")).unwrap();
        collect(&whole, "", &mut rows);
        Self { rows, seen: RefCell::default() }
    }

    /// What stands there, to be compared or to be computed with.
    fn text(&self, path: &str) -> &str {
        self.seen.borrow_mut().insert(path.to_owned());
        self.rows.get(path).unwrap_or_else(|| panic!("there is no {path}"))
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        hex(self.text(path))
    }

    fn array<const N: usize>(&self, path: &str) -> [u8; N] {
        self.bytes(path).try_into().unwrap()
    }

    fn key(&self, path: &str) -> Key {
        Zeroizing::new(self.array(path))
    }

    fn flags(&self, path: &str) -> NegotiateFlags {
        NegotiateFlags(u32::from_str_radix(self.text(path), 16).unwrap())
    }

    fn is(&self, path: &str, found: impl AsRef<[u8]>) {
        assert_eq!(encode(found.as_ref()), self.text(path), "{path}");
    }

    /// How many rows of a list there are.
    fn count(&self, list: &str) -> usize {
        let numbers = self.rows.keys().filter_map(|path| path.strip_prefix(list)?.split('/').nth(1));
        numbers.collect::<BTreeSet<_>>().len()
    }

    fn hash(&self) -> NtHash {
        NtHash::of_password(self.text("common/password"))
    }

    fn challenges(&self) -> ([u8; 8], [u8; 8]) {
        (self.array("common/server_challenge"), self.array("common/client_challenge"))
    }
}

#[test]
fn every_vector_holds() {
    let vectors = Vectors::read();
    version_1(&vectors);
    version_1_with_extended_session_security(&vectors);
    version_2(&vectors);
    keys_of_every_length(&vectors);
    messages_in_a_row(&vectors);
    mic_and_bindings(&vectors);
    an_exchange_of_windows(&vectors);
    a_client_answers_in_version_1_as_the_specification_does(&vectors);
    a_client_answers_in_version_2_as_the_specification_does(&vectors);
    let seen = vectors.seen.into_inner();
    let unseen: Vec<&String> = vectors.rows.keys().filter(|path| !seen.contains(*path)).collect();
    assert!(unseen.is_empty() && seen.len() > 100, "nothing was compared with {unseen:?}");
}

fn version_1(vectors: &Vectors) {
    let (server, _) = vectors.challenges();
    let (hash, lm_hash) = (vectors.hash(), lmowf_v1(vectors.text("common/password")).unwrap());
    vectors.is("v1/ntowf_v1", hash.as_bytes());
    vectors.is("v1/lmowf_v1", *lm_hash);
    vectors.is("v1/nt_response", desl(hash.as_bytes(), server));
    let lm = desl(&lm_hash, server);
    vectors.is("v1/lm_response", lm);
    let base = session_base_key_v1(&hash);
    vectors.is("v1/session_base_key", *base);
    let random = vectors.key("common/random_session_key");
    for (name, flags) in [
        ("default", NegotiateFlags::NONE),
        ("request_non_nt_session_key", NegotiateFlags::REQUEST_NON_NT_SESSION_KEY),
        ("lm_key", NegotiateFlags::NEGOTIATE_LM_KEY),
    ] {
        let exchange = key_exchange_key_v1(flags, &base, Some(&lm_hash), &server, &lm);
        vectors.is(&format!("v1/kek/{name}"), *exchange);
        vectors.is(&format!("v1/encrypted_random_session_key/{name}"), *rc4k(&exchange, &random));
    }
    seals(vectors, "v1", &random);
    let mut crc = crate::crc32::Crc32::new();
    crc.update(&vectors.bytes("v1/seal/plaintext"));
    vectors.is("v1/seal/crc32", crc.finish().to_le_bytes());
}

/// A message of a client's.
fn seals(vectors: &Vectors, version: &str, exported: &Key) {
    let row = |name: &str| format!("{version}/{name}");
    let mut memory = vectors.bytes(&row("seal/plaintext"));
    let pieces = [Piece { range: 0..memory.len(), is_sealed: true }];
    let mut direction = directions(vectors.flags(&row("flags")), exported).unwrap().0;
    let signature = direction.protect(&mut memory, &pieces).unwrap();
    vectors.is(&row("seal/ciphertext"), memory);
    vectors.is(&row("seal/signature"), signature);
}

/// The keys that messages are signed and sealed with.
fn has_keys(vectors: &Vectors, path: &str, [sign, seal]: [&str; 2], flags: NegotiateFlags, exported: &Key) {
    for (who, sender) in [("client", Sender::Client), ("server", Sender::Server)] {
        vectors.is(&format!("{path}/{who}_{sign}"), *sign_key(exported, sender));
        vectors.is(&format!("{path}/{who}_{seal}"), *seal_key(flags, exported, sender));
    }
}

fn version_1_with_extended_session_security(vectors: &Vectors) {
    let (server, client) = vectors.challenges();
    vectors.is("v1_ess/nt_response", ntlm2_session_response(&vectors.hash(), &server, &client));
    let lm = [&client[..], &[0; 16]].concat();
    vectors.is("v1_ess/lm_response", &lm);
    let (base, flags) = (session_base_key_v1(&vectors.hash()), vectors.flags("v1_ess/flags"));
    vectors.is("v1_ess/session_base_key", *base);
    let exported = key_exchange_key_v1(flags, &base, None, &server, &lm);
    vectors.is("v1_ess/key_exchange_key", *exported);
    has_keys(vectors, "v1_ess", ["sign_key", "seal_key"], flags, &exported);
    seals(vectors, "v1_ess", &exported);
}

fn version_2(vectors: &Vectors) {
    let (server, client) = vectors.challenges();
    let (user, domain) = (vectors.text("common/user"), vectors.text("common/domain"));
    vectors.is("v2/ntowf_v2", *ntowf_v2(&vectors.hash(), user, domain));
    let key = response_key(&vectors.hash(), user, domain);
    let challenge = vectors.bytes("v2/challenge_message");
    let pairs = ChallengeMessage::decode(&challenge).unwrap().av_pairs().unwrap();
    let name = pairs.text(AvId::NB_COMPUTER_NAME).unwrap();
    assert_eq!(name.as_deref(), Some(vectors.text("common/server_name")));
    let timestamp = u64::from_le_bytes(vectors.array("common/time"));
    let temp = NtlmV2Temp { timestamp, client_challenge: client, av_pairs: pairs }.to_bytes().unwrap();
    vectors.is("v2/temp", &temp);
    let proof = nt_proof_str(&key, &server, &temp);
    vectors.is("v2/nt_proof_str", *proof);
    vectors.is("v2/nt_response", [proof.as_slice(), &temp].concat());
    vectors.is("v2/lm_response", lm_v2_response(&key, &server, &client));
    let base = session_base_key_v2(&key, &proof);
    vectors.is("v2/session_base_key", *base);
    vectors.is("v2/key_exchange_key", *base);
    let exported = vectors.key("v2/exported_session_key");
    assert_eq!(exported, vectors.key("common/random_session_key"));
    vectors.is("v2/encrypted_random_session_key", *rc4k(&base, &exported));
    has_keys(vectors, "v2", ["sign_key", "seal_key"], vectors.flags("v2/flags"), &exported);
    seals(vectors, "v2", &exported);
}

fn keys_of_every_length(vectors: &Vectors) {
    let exported = vectors.key("common/random_session_key");
    for (bits, flags) in [
        ("128", NegotiateFlags::NEGOTIATE_128),
        ("56", NegotiateFlags::NEGOTIATE_56),
        ("40", NegotiateFlags::NONE),
    ] {
        has_keys(vectors, &format!("keys/{bits}"), ["sign", "seal"], flags, &exported);
    }
}

fn messages_in_a_row(vectors: &Vectors) {
    let (flags, exported) = (vectors.flags("v2/flags"), vectors.key("common/random_session_key"));
    for (list, data, is_sealed) in
        [("sealed_in_a_row/messages", "plaintext", true), ("signed_in_a_row/messages", "data", false)]
    {
        let mut direction = directions(flags, &exported).unwrap().0;
        assert_eq!(vectors.count(list), 3);
        for number in 0..vectors.count(list) {
            let row = |name: &str| format!("{list}/{number}/{name}");
            let mut memory = vectors.bytes(&row(data));
            let pieces = [Piece { range: 0..memory.len(), is_sealed }];
            vectors.is(&row("signature"), direction.protect(&mut memory, &pieces).unwrap());
            vectors.is(&row(if is_sealed { "ciphertext" } else { "data" }), memory);
        }
    }
}

fn mic_and_bindings(vectors: &Vectors) {
    let [negotiate, challenge, unsigned] = ["negotiate", "challenge", "authenticate_with_zero_mic"]
        .map(|name| vectors.bytes(&format!("mic/{name}")));
    let found = mic(&vectors.key("mic/exported_session_key"), &negotiate, &challenge, &unsigned);
    vectors.is("mic/mic", *found);
    let mut signed = unsigned;
    signed[AuthenticateMessage::MIC_RANGE].copy_from_slice(found.as_slice());
    vectors.is("mic/authenticate_final", signed);
    let data = vectors.bytes("channel_binding/application_data");
    let structure = vectors.bytes("channel_binding/gss_channel_bindings_struct");
    vectors.is("channel_binding/md5", *md5(&[&structure]));
    let hash = channel_bindings_hash(Some(&ChannelBindings::from_application_data(data)));
    vectors.is("channel_binding/md5", hash);
}

fn an_exchange_of_windows(vectors: &Vectors) {
    let row = |name: &str| format!("real_exchange/{name}");
    let challenge = vectors.bytes(&row("challenge_message"));
    let challenge = ChallengeMessage::decode(&challenge).unwrap();
    vectors.is(&row("server_challenge"), challenge.server_challenge);
    vectors.is(&row("target_info"), challenge.target_info);
    let authenticate = vectors.bytes(&row("authenticate_message"));
    let message = AuthenticateMessage::decode(&authenticate).unwrap();
    let [user, domain, workstation] =
        [message.user, message.domain, message.workstation].map(|name| message.text("", name).unwrap());
    assert_eq!(user, vectors.text(&row("user")));
    assert_eq!(domain, vectors.text(&row("domain")));
    assert_eq!(workstation, vectors.text(&row("workstation")));
    vectors.is(&row("mic"), message.mic.unwrap());
    let hash = NtHash::of_password(vectors.text(&row("password")));
    vectors.is(&row("nt_hash"), hash.as_bytes());
    let response = NtlmV2Response::decode(message.nt_response).unwrap();
    vectors.is(&row("nt_proof_str"), response.nt_proof_str);
    let key = response_key(&hash, &user, &domain);
    vectors.is(&row("nt_proof_str"), *nt_proof_str(&key, &challenge.server_challenge, response.temp));
    vectors.is(&row("channel_binding_md5"), response.content.av_pairs.get(AvId::CHANNEL_BINDINGS).unwrap());
}

/// The clock of the specification stands still, and its dice are loaded.
struct Fixed(Vec<u8>);

impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

impl Random for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), crypto::random::RandomError> {
        assert_eq!(out.len(), self.0.len());
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

/// What a client of ours that is the one of MS-NLMP section 4.2.1 answers this challenge with.
fn answer(vectors: &Vectors, level: u8, challenge: &[u8]) -> Vec<u8> {
    let config = NtlmConfig {
        lm_compatibility_level: LmCompatibilityLevel::new(level).unwrap(),
        extended_session_security: ExtendedSessionSecurity::Optional,
        reflection: Reflection::Allow,
        workstation: Some(vectors.text("common/workstation").to_owned()),
        ..NtlmConfig::default()
    };
    let drawn =
        ["client_challenge", "random_session_key"].map(|name| vectors.bytes(&format!("common/{name}")));
    let environment = Environment {
        clock: Arc::new(Fixed(Vec::new())),
        random: Arc::new(Fixed(drawn.concat())),
        secrets: Arc::new(NoSecrets),
        host_name: None,
    };
    let [user, domain, password] =
        ["user", "domain", "password"].map(|name| vectors.text(&format!("common/{name}")).to_owned());
    let auth_data = AuthData::Identity(AuthIdentity { user, domain, password: Secret::new(password) });
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    let credentials = Ntlm::new(config, environment).acquire_credentials_handle(&request).unwrap();
    let flags = IscReq::INTEGRITY | IscReq::CONFIDENTIALITY;
    let mut client =
        credentials.initialize(&InitializeRequest { flags, ..InitializeRequest::default() }).unwrap();
    client.initialize_security_context(&[]).unwrap();
    match client.initialize_security_context(challenge).unwrap() {
        Step::Complete { token, .. } => token,
        step => panic!("{step:?}"),
    }
}

/// Flags and version say who the client is: everything else of MS-NLMP section 4.2.2.3 is the same, byte for byte.
fn a_client_answers_in_version_1_as_the_specification_does(vectors: &Vectors) {
    let challenge = vectors.bytes("v1/challenge_message");
    let ours = ChallengeMessage::decode(&challenge).unwrap();
    assert_eq!(ours.flags, vectors.flags("v1/flags"));
    let found = answer(vectors, 0, &challenge);
    let expected = vectors.bytes("v1/authenticate_message");
    const FLAGS_AND_VERSION: core::ops::Range<usize> = 60..72;
    assert_eq!(found[..FLAGS_AND_VERSION.start], expected[..FLAGS_AND_VERSION.start]);
    assert_eq!(found[FLAGS_AND_VERSION.end..], expected[FLAGS_AND_VERSION.end..]);
}

/// In MS-NLMP section 4.2.4.3 the client says neither whom it wants to talk to nor that it is bound to nothing, and the time is 0.
/// Everything that does not depend on that is the same, and the rest is proven in the same way.
fn a_client_answers_in_version_2_as_the_specification_does(vectors: &Vectors) {
    let challenge = vectors.bytes("v2/challenge_message");
    let [found, expected] = [answer(vectors, 3, &challenge), vectors.bytes("v2/authenticate_message")];
    let [found, expected] = [&found, &expected].map(|bytes| AuthenticateMessage::decode(bytes).unwrap());
    assert_eq!(
        (found.lm_response, found.domain, found.user, found.workstation, found.mic),
        (expected.lm_response, expected.domain, expected.user, expected.workstation, expected.mic)
    );
    vectors.is("v2/lm_response", found.lm_response);
    vectors.is("v2/nt_response", expected.nt_response);
    vectors.is("v2/encrypted_random_session_key", expected.encrypted_random_session_key);
    let [found_response, expected] =
        [&found, &expected].map(|message| NtlmV2Response::decode(message.nt_response).unwrap());
    assert_eq!(found_response.content.client_challenge, expected.content.client_challenge);
    let info = vectors.bytes("v2/target_info");
    assert_eq!(ChallengeMessage::decode(&challenge).unwrap().target_info, info);
    let theirs = |response: &NtlmV2Response<'_>| {
        response.content.to_bytes().unwrap()[28..28 + info.len() - 4].to_vec()
    };
    assert_eq!(theirs(&found_response), info[..info.len() - 4]);
    let key = response_key(&vectors.hash(), vectors.text("common/user"), vectors.text("common/domain"));
    let proof = nt_proof_str(&key, &vectors.challenges().0, found_response.temp);
    assert_eq!(found_response.nt_proof_str, *proof);
    let sent = rc4k(&session_base_key_v2(&key, &proof), &vectors.array("common/random_session_key"));
    assert_eq!(found.encrypted_random_session_key, *sent);
}
