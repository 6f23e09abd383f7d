//! The vectors of the RFCs, and computed ones. `testdata/vectors.json` says where each is from.

use serde_json::Value;

use super::*;
use crate::text::from_hex;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../testdata/vectors.json")).unwrap()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

#[test]
fn proofs_of_http_are_those_of_the_vectors() {
    let vectors = vectors();
    let rows = vectors["http"].as_array().unwrap();
    assert_eq!(rows.len(), 7);
    for row in rows {
        let source = text(row, "source");
        let algorithm = Algorithm::by_name(text(row, "algorithm").as_bytes()).unwrap();
        let qop = Qop::on_the_wire(text(row, "qop").as_bytes()).unwrap_or(Qop::None);
        let inputs = Inputs {
            dialect: Dialect::Http,
            algorithm,
            nonce: text(row, "nonce").as_bytes(),
            cnonce: text(row, "cnonce").as_bytes(),
            nonce_count: text(row, "nc").as_bytes(),
            qop,
            authzid: None,
        };
        let (user, realm) = (text(row, "username"), text(row, "realm"));
        let base = base(algorithm.hash, user.as_bytes(), realm.as_bytes(), text(row, "password").as_bytes());
        let key = inputs.key(base.as_ref());
        assert_eq!(hex(&key), text(row, "ha1"), "{source}");
        let body = EntityBody::Bytes(from_hex(text(row, "body").as_bytes()).unwrap());
        let body = entity_hash(algorithm.hash, &body).unwrap();
        let a2 = inputs.a2(text(row, "method"), text(row, "uri").as_bytes(), Some(&body));
        assert_eq!(hex(a2.as_ref()), text(row, "ha2"), "{source}");
        assert_eq!(inputs.proof(&key, &a2), text(row, "response"), "{source}");
        if let Some(hash) = row["userhash"].as_str() {
            assert_eq!(hex(&user_hash(algorithm.hash, user, realm)), hash);
        }
    }
}

#[test]
fn proofs_of_sasl_are_those_of_the_vectors() {
    let vectors = vectors();
    for row in vectors["sasl"].as_array().unwrap() {
        let inputs = sasl(row, Qop::Auth);
        let key = inputs.key(base_of(row).as_ref());
        assert_eq!(hex(&key), text(row, "h_a1"));
        let uri = text(row, "digest_uri").as_bytes();
        assert_eq!(inputs.proof(&key, &inputs.a2(AUTHENTICATE, uri, None)), text(row, "response"));
        assert_eq!(inputs.proof(&key, &inputs.a2("", uri, None)), text(row, "rspauth"));
    }
    let (row, layers) = (&vectors["sasl"][0], &vectors["sasl_layers"]);
    let inputs = sasl(row, Qop::AuthConf);
    let key = inputs.key(base_of(row).as_ref());
    assert_eq!(hex(&key), text(layers, "h_a1"));
    let uri = text(row, "digest_uri").as_bytes();
    assert_eq!(inputs.proof(&key, &inputs.a2(AUTHENTICATE, uri, None)), text(layers, "response_auth_conf"));
    assert_eq!(inputs.proof(&key, &inputs.a2("", uri, None)), text(layers, "rspauth_auth_conf"));
}

fn base_of(row: &Value) -> Digest {
    let [user, realm, password] = ["username", "realm", "password"].map(|name| text(row, name).as_bytes());
    base(DigestAlgorithm::Md5, user, realm, password)
}

fn sasl(row: &Value, qop: Qop) -> Inputs<'_> {
    Inputs {
        dialect: Dialect::Sasl,
        algorithm: Algorithm::MD5_SESS,
        nonce: text(row, "nonce").as_bytes(),
        cnonce: text(row, "cnonce").as_bytes(),
        nonce_count: text(row, "nc").as_bytes(),
        qop,
        authzid: None,
    }
}

#[test]
fn an_authorization_identity_is_part_of_the_key() {
    let vectors = vectors();
    let row = &vectors["sasl"][0];
    let base = base_of(row);
    let without = sasl(row, Qop::Auth).key(base.as_ref());
    let empty = Inputs { authzid: Some(b""), ..sasl(row, Qop::Auth) }.key(base.as_ref());
    let with = Inputs { authzid: Some(b"bob"), ..sasl(row, Qop::Auth) }.key(base.as_ref());
    assert!(without != empty && empty != with && without != with);
}

#[test]
fn a_body_may_be_known_by_its_hashes_only() {
    let hashes =
        EntityBody::Hashes(vec![(DigestAlgorithm::Md5, vec![1; 15]), (DigestAlgorithm::Sha256, vec![2; 32])]);
    assert_eq!(entity_hash(DigestAlgorithm::Sha256, &hashes), Some(vec![2; 32]));
    assert_eq!(entity_hash(DigestAlgorithm::Md5, &hashes), None, "a hash of a wrong length");
    assert_eq!(entity_hash(DigestAlgorithm::Sha512Of256, &hashes), None);
}
