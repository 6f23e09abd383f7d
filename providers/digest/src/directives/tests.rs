//! What is a list of directives, and what is none.

use super::*;

fn parse(text: &str) -> Result<Vec<(String, String)>, DecodeError> {
    let list = Directives::parse(text.as_bytes(), Bounds::HTTP)?;
    Ok(list.iter().map(|directive| (directive.name.clone(), directive.value.to_string())).collect())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn values_are_tokens_or_quoted_and_white_space_does_not_matter() {
    let expected = pairs(&[("realm", "a, b"), ("nc", "00000001"), ("qop", "")]);
    assert_eq!(parse("realm=\"a, b\",nc=00000001,qop=\"\"").unwrap(), expected);
    assert_eq!(parse(" , Realm = \"a, b\" ,\t,\r\n NC\t=00000001, qop= \"\",, ").unwrap(), expected);
    assert_eq!(parse("").unwrap(), []);
    assert_eq!(parse(" ,, ").unwrap(), []);
}

#[test]
fn escapes_are_taken_out_and_what_stood_there_is_kept() {
    let list = Directives::parse(br#"username="CORP\alice", realm="a\"b\\c""#, Bounds::HTTP).unwrap();
    let user = list.find("username").unwrap();
    assert_eq!(&*user.value, b"CORPalice");
    assert_eq!(&**user.escaped.as_ref().unwrap(), br"CORP\alice");
    assert_eq!(&**list.value("realm").unwrap(), br#"a"b\c"#);
    let mut writer = Writer::sasl();
    writer.quoted("realm", br#"a"b\c"#).token("qop", "auth");
    assert_eq!(writer.finish(), br#"realm="a\"b\\c",qop=auth"#);
}

#[test]
fn what_is_no_list_is_refused_and_the_place_is_named() {
    for (text, at) in [
        ("realm", 5),
        ("realm=", 6),
        ("realm=,", 6),
        ("=a", 0),
        ("a=b c=d", 4),
        ("a=\"b", 4),
        ("a=\"b\\", 5),
        ("a=\"b\"c", 5),
        ("a=\"b\u{7}\"", 4),
        ("a=b;c", 3),
        ("a=b\0", 3),
    ] {
        match parse(text) {
            Err(DecodeError::Expected { at: found, .. }) => assert_eq!(found, at, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn lists_are_bounded_in_bytes_and_in_directives() {
    let bounds = Bounds { length: 12, count: 2 };
    assert!(Directives::parse(b"a=1,b=2,,,,,", bounds).is_ok());
    let too_long = Err(DecodeError::TooLong { maximum: 12 });
    assert_eq!(Directives::parse(b"a=1,b=2,,,,,,", bounds), too_long);
    assert_eq!(Directives::parse(b"a=1,b=2,c=3", bounds), Err(DecodeError::TooLong { maximum: 2 }));
    assert_eq!(
        Directives::parse_challenges(b"a=1,b=2,c=3", bounds),
        Err(DecodeError::TooLong { maximum: 2 })
    );
}

#[test]
fn a_directive_stands_once_but_for_those_that_may_repeat() {
    let list = Directives::parse(b"realm=a,Realm=b,nonce=c", Bounds::HTTP).unwrap();
    assert_eq!(list.refuse_duplicates(|_| false), Err(DecodeError::Duplicate { name: "realm".into() }));
    assert_eq!(list.refuse_duplicates(|name| name == "realm"), Ok(()));
}

fn nonces(text: &str) -> Vec<String> {
    let challenges = Directives::parse_challenges(text.as_bytes(), Bounds::HTTP).unwrap();
    challenges.iter().map(|c| c.value("nonce").map_or(String::new(), ToString::to_string)).collect()
}

#[test]
fn challenges_of_digest_are_found_among_others_however_they_are_joined() {
    assert_eq!(nonces("Digest nonce=\"1\", realm=\"a\""), ["1"]);
    assert_eq!(nonces("nonce=\"1\", realm=\"a\""), ["1"]);
    assert_eq!(nonces("Digest nonce=\"1\", realm=\"a\", Digest realm=\"a\", nonce=\"2\""), ["1", "2"]);
    assert_eq!(nonces("Digest nonce=\"1\", realm=\"a\"\r\nDigest realm=\"a\", nonce=\"2\""), ["1", "2"]);
    assert_eq!(nonces("nonce=\"1\", realm=\"a\"\nrealm=\"a\", nonce=\"2\"\n"), ["1", "2"]);
    let all = "Negotiate YIIabc+/==, Basic realm=\"x, y\", DIGEST nonce=1,realm=\"a\", NTLM, Bearer a=b, digest nonce=2";
    assert_eq!(nonces(all), ["1", "2"]);
    assert_eq!(nonces("Negotiate"), [] as [String; 0]);
    assert_eq!(nonces("NTLM TlRM, Basic realm=\"a\""), [] as [String; 0]);
}

#[test]
fn a_folded_line_goes_on_with_the_same_challenge() {
    assert_eq!(nonces("Digest realm=\"a\",\r\n  nonce=\"1\",\r\n  qop=\"auth\""), ["1"]);
}
