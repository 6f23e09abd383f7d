//! Responses as they are written and read.

use super::*;

/// DIGEST (RFC 2831) section 4.
const SASL: &[u8] =
    b"charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",\
    nc=00000001,cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",\
    response=d388dad90d4bbd760a152321f2143af7,qop=auth";

/// DIGEST (RFC 7616) section 3.9.1.
const HTTP: &[u8] =
    b"username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=MD5, \
    nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
    cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
    response=\"8ca523f5e9506fed4657c9700eebdbec\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

fn http(text: &str) -> Result<Response, DecodeError> {
    Response::from_http(text.as_bytes())
}

#[test]
fn responses_of_the_rfcs_are_read_and_written_byte_for_byte() {
    let response = Response::from_sasl(SASL).unwrap();
    assert!(response.is_utf8);
    assert_eq!(response.nonce_count, Some(NonceCount::from(1)));
    assert_eq!(response.to_sasl(), SASL);
    let response = Response::from_http(HTTP).unwrap();
    assert_eq!(response.algorithm, Algorithm::MD5);
    assert_eq!(response.to_http(), HTTP);
    assert_eq!(Response::from_http(&[b"Digest ", HTTP].concat()).unwrap(), response);
}

#[test]
fn a_directive_that_is_missing_or_stands_twice_is_refused() {
    let text = str::from_utf8(SASL).unwrap();
    for name in ["username", "nonce", "nc", "cnonce", "digest-uri", "response"] {
        let without: Vec<&str> =
            text.split(',').filter(|part| !part.starts_with(&format!("{name}="))).collect();
        let error = Response::from_sasl(without.join(",").as_bytes()).unwrap_err();
        assert_eq!(error, DecodeError::Missing { name });
        let part = text.split(',').find(|part| part.starts_with(&format!("{name}="))).unwrap();
        let error = Response::from_sasl(format!("{text},{part}").as_bytes()).unwrap_err();
        assert_eq!(error, DecodeError::Duplicate { name: name.into() });
    }
    let text = str::from_utf8(HTTP).unwrap();
    for name in ["username", "realm", "nonce", "nc", "cnonce", "uri", "response"] {
        let without: Vec<&str> =
            text.split(", ").filter(|part| !part.starts_with(&format!("{name}="))).collect();
        assert_eq!(http(&without.join(", ")).unwrap_err(), DecodeError::Missing { name });
        let error = http(&format!("{text}, {name}=1")).unwrap_err();
        assert_eq!(error, DecodeError::Duplicate { name: name.into() });
    }
}

#[test]
fn names_come_plain_extended_or_hashed_and_never_in_two_ways() {
    let rest = "realm=r, nonce=n, uri=\"/\", response=\"00\"";
    let name = |text: &str| http(&format!("{text}, {rest}")).map(|response| response.username);
    let jason = Username::Extended("Jäsøn Doe".into());
    assert_eq!(name("username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, userhash=false").unwrap(), jason);
    assert_eq!(name("username=\"0aff\", userhash=true").unwrap(), Username::Hashed(vec![0x0A, 0xFF]));
    let both = name("username=a, username*=UTF-8''a").unwrap_err();
    assert_eq!(both, DecodeError::Duplicate { name: "username".into() });
    assert!(name("username*=UTF-8''a, userhash=true").is_err());
    assert_eq!(name("username=xyz, userhash=true").unwrap_err(), DecodeError::Value { name: "username" });
    let response = http(&format!("username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, {rest}")).unwrap();
    assert_eq!(Response::from_http(&response.to_http()).unwrap(), response);
}

#[test]
fn a_nonce_count_is_eight_hexadecimal_digits() {
    let count = |digits: &str| NonceCount::parse(&digits.into());
    assert_eq!(count("0000000A").unwrap().count, 10);
    assert_eq!(count("0000000A").unwrap().digits, Text::from("0000000A"));
    for bad in ["", "1", "0000001", "000000001", "0000000g", "-0000001"] {
        assert_eq!(count(bad), Err(DecodeError::Value { name: "nc" }), "{bad}");
    }
}

#[test]
fn qualities_and_algorithms_that_there_are_not_are_refused() {
    let text = str::from_utf8(HTTP).unwrap();
    let with = |from: &str, to: &str| http(&text.replace(from, to)).unwrap_err();
    assert_eq!(with("qop=auth", "qop=auth-conf"), DecodeError::Value { name: "qop" });
    assert_eq!(with("qop=auth", "qop=none"), DecodeError::Value { name: "qop" });
    assert_eq!(with("algorithm=MD5", "algorithm=token"), DecodeError::Value { name: "algorithm" });
    assert_eq!(http(&format!("Basic {text}")).unwrap_err(), DecodeError::NoChallenge);
    assert_eq!(http("Basic YTpi").unwrap_err(), DecodeError::NoChallenge);
}

#[test]
fn authentication_info_is_read_and_written() {
    let text = b"nextnonce=\"n\", rspauth=\"00ff\", qop=auth, cnonce=\"c\", nc=00000001";
    let info = AuthenticationInfo::parse(text).unwrap();
    assert_eq!(info.to_http(), text);
    assert_eq!(info.to_sasl(), b"rspauth=00ff");
    assert!(AuthenticationInfo::parse(b"rspauth=1, rspauth=1").is_err());
}
