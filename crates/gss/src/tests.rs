//! Tokens are read as others write them, and written as they were read; what is no token is refused.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use test_support::Mutator;
use test_support::hex::decode as hex;

use super::*;
use crate::der::{begin, put, put_bytes, size, tag};

const TOKENS: &str = include_str!("../testdata/spnego.txt");

fn tokens() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let lines = TOKENS.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, bytes)| (name, hex(bytes)))
}

fn token(name: &str) -> Vec<u8> {
    tokens().find(|(found, _)| *found == name).unwrap().1
}

/// Those that belong to SPNEGO, and not to a mechanism alone.
fn negotiation_tokens() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    tokens().filter(|(name, _)| !name.contains("-krb-ap-"))
}

fn init(bytes: &[u8]) -> NegTokenInit<'_> {
    let NegotiationToken::Init(init) = NegotiationToken::decode(bytes).unwrap() else { panic!() };
    init
}

fn resp(bytes: &[u8]) -> NegTokenResp<'_> {
    let NegotiationToken::Resp(resp) = NegotiationToken::decode(bytes).unwrap() else { panic!() };
    resp
}

#[test]
fn every_token_is_written_as_it_was_read() {
    assert_eq!(negotiation_tokens().count(), 12);
    for (name, bytes) in negotiation_tokens() {
        let read = NegotiationToken::decode(&bytes).unwrap();
        assert_eq!(read.to_bytes(), bytes, "{name}");
    }
    for (name, bytes) in tokens().filter(|(_, bytes)| InitialContextToken::is_framed(bytes)) {
        let read = InitialContextToken::decode(&bytes).unwrap();
        assert_eq!(read.to_bytes(), bytes, "{name}");
    }
}

#[test]
fn an_offer_of_kerberos_and_ntlm_is_read() {
    let bytes = token("real-initial-context-token-neg-token-init");
    let init = init(&bytes);
    assert_eq!(init.mech_types.iter().collect::<Vec<_>>(), [MechType::KERBEROS, MechType::NTLM]);
    let inner = InitialContextToken::decode(init.mech_token.unwrap()).unwrap();
    assert_eq!((inner.mechanism, &inner.inner[..2]), (MechType::KERBEROS, &[1, 0][..]));
    assert_eq!((init.req_flags, init.hints, init.mech_list_mic), (None, None, None));
}

#[test]
fn the_hints_of_a_server_that_speaks_first_are_read() {
    let bytes = token("real-initial-context-token-neg-token-init2");
    let init = init(&bytes);
    let expected = [
        MechType::NEGOEX,
        MechType::MS_KERBEROS,
        MechType::KERBEROS,
        MechType::KERBEROS_USER_TO_USER,
        MechType::NTLM,
    ];
    assert_eq!(init.mech_types.iter().collect::<Vec<_>>(), expected);
    assert_eq!(init.hints, Some(NegHints { name: Some(NegHints::NAME), address: None }));
    assert_eq!(init.mech_list_mic, None);
}

#[test]
fn answers_are_read() {
    let bytes = token("real-neg-token-resp");
    let answer = resp(&bytes);
    assert_eq!(answer.neg_state, Some(NegState::AcceptCompleted));
    assert_eq!(answer.supported_mech, Some(MechType::KERBEROS));
    assert!(InitialContextToken::is_framed(answer.response_token.unwrap()));
    let bytes = token("built-resp-request-mic");
    assert_eq!(
        resp(&bytes),
        NegTokenResp {
            neg_state: Some(NegState::RequestMic),
            supported_mech: Some(MechType::NTLM),
            ..NegTokenResp::default()
        }
    );
    let bytes = token("built-resp-accept-completed-with-mic");
    assert_eq!(resp(&bytes).mech_list_mic.unwrap().len(), 16);
    let bytes = token("built-resp-client-authenticate");
    let answer = resp(&bytes);
    assert_eq!((answer.neg_state, &answer.response_token.unwrap()[..7]), (None, &b"NTLMSSP"[..]));
}

#[test]
fn the_list_is_what_a_mic_is_over() {
    let bytes = token("built-init-krb-mskrb-ntlm-no-token");
    let init = init(&bytes);
    let der = "302206092a864882f71201020206092a864886f712010202060a2b06010401823702020a";
    assert_eq!(init.mech_types.as_der(), hex(der));
    let ours = MechTypeList::new([MechType::MS_KERBEROS, MechType::KERBEROS, MechType::NTLM]).unwrap();
    assert_eq!(ours.as_der(), init.mech_types.as_der());
}

#[test]
fn a_list_with_a_length_that_is_too_long_is_kept_as_it_was_sent() {
    let list = [&[0x30, 0x81, 12, 6, 10][..], MechType::NTLM.content()].concat();
    let read = MechTypeList::from_der(&list).unwrap();
    assert_eq!(read.as_der(), list);
    assert_eq!(read.iter().collect::<Vec<_>>(), [MechType::NTLM]);
}

#[test]
fn an_offer_without_its_frame_is_read() {
    let bytes = token("built-init-ntlm-only");
    let inner = InitialContextToken::decode(&bytes).unwrap().inner;
    assert_eq!(NegotiationToken::decode(inner).unwrap(), NegotiationToken::decode(&bytes).unwrap());
}

/// A list of NTLM and these fields, in a sequence in `[0]`, with short lengths only.
fn offer(fields: &[u8]) -> Vec<u8> {
    let list = MechTypeList::new([MechType::NTLM]).unwrap();
    let fields = [&[0xa0, 14][..], list.as_der(), fields].concat();
    let length = u8::try_from(fields.len()).unwrap();
    [&[0xa0, length + 2, 0x30, length][..], &fields].concat()
}

#[test]
fn fields_that_nobody_knows_are_passed_over() {
    let bytes = offer(&[0xa2, 3, 4, 1, 9, 0xa7, 2, 5, 0, 0xbe, 0]);
    assert_eq!(init(&bytes).mech_token, Some(&[9][..]));
    let bytes = [0xa1, 0x0a, 0x30, 8, 0xa6, 1, 0xff, 0xa0, 3, 0x0a, 1, 1];
    assert_eq!(resp(&bytes).neg_state, Some(NegState::AcceptIncomplete));
}

#[test]
fn the_mic_is_told_from_the_hints_by_what_is_in_the_field() {
    let mic = offer(&[0xa3, 3, 4, 1, 7]);
    assert_eq!((init(&mic).mech_list_mic, init(&mic).hints), (Some(&[7][..]), None));
    let hints = offer(&[0xa3, 2, 0x30, 0, 0xa4, 3, 4, 1, 7]);
    assert_eq!((init(&hints).mech_list_mic, init(&hints).hints), (Some(&[7][..]), Some(NegHints::default())));
    let both = offer(&[0xa3, 3, 4, 1, 7, 0xa4, 3, 4, 1, 7]);
    assert_eq!(NegotiationToken::decode(&both).unwrap_err().field, "NegTokenInit.mechListMIC");
}

#[test]
fn flags_are_named_and_written_without_zeros_at_the_end() {
    for (bytes, number, names) in [
        (vec![3, 2, 1, 0x62], 0x6200_0000, vec!["mutual", "replay", "integ"]),
        (vec![3, 2, 7, 0x80], 0x8000_0000, vec!["deleg"]),
        (vec![3, 1, 0], 0, vec![]),
        (vec![3, 5, 0, 0, 0, 0, 1], 1, vec![]),
    ] {
        let length = u8::try_from(bytes.len()).unwrap();
        let bytes = offer(&[&[0xa1, length][..], &bytes].concat());
        let init = init(&bytes);
        let flags = init.req_flags.unwrap();
        assert_eq!((flags.0, flags.names().collect::<Vec<_>>()), (number, names));
        assert_eq!(InitialContextToken::decode(&init.to_bytes()).unwrap().inner, bytes);
    }
}

#[test]
fn refusals_name_the_field_and_the_byte() {
    let refused = |bytes: &[u8]| {
        let error = NegotiationToken::decode(bytes).unwrap_err();
        (error.field, error.offset)
    };
    // No list, an empty one, one with something else in it.
    assert_eq!(refused(&[0xa0, 2, 0x30, 0]), ("NegTokenInit.mechTypes", 4));
    assert_eq!(refused(&[0xa0, 6, 0x30, 4, 0xa0, 2, 0x30, 0]), ("NegTokenInit.mechTypes", 8));
    assert_eq!(refused(&[0xa0, 8, 0x30, 6, 0xa0, 4, 0x30, 2, 4, 0]), ("NegTokenInit.mechTypes", 8));
    // Twice, and the wrong way round.
    assert_eq!(refused(&offer(&[0xa2, 3, 4, 1, 9, 0xa2, 3, 4, 1, 9])), ("NegTokenInit", 25));
    assert_eq!(refused(&offer(&[0xa2, 3, 4, 1, 9, 0xa1, 3, 3, 1, 0])), ("NegTokenInit", 25));
    // Another type than the field has, and more in it than that.
    assert_eq!(refused(&offer(&[0xa2, 3, 0x24, 1, 9])), ("NegTokenInit.mechToken", 22));
    assert_eq!(refused(&offer(&[0xa2, 5, 4, 1, 9, 5, 0])), ("NegTokenInit.mechToken", 25));
    assert_eq!(refused(&offer(&[0xa1, 3, 3, 1, 8])), ("NegTokenInit.reqFlags", 24));
    // A state that nobody knows; no token at all; behind the token.
    assert_eq!(refused(&[0xa1, 7, 0x30, 5, 0xa0, 3, 0x0a, 1, 4]), ("NegTokenResp.negState", 8));
    assert_eq!(refused(b"NTLMSSP\0"), ("NegotiationToken", 0));
    assert_eq!(refused(&[0xa1, 2, 0x30, 0, 0]), ("NegotiationToken", 4));
    assert_eq!(refused(&token("real-initial-context-token-krb-ap-rep")), ("InitialContextToken.thisMech", 0));
    let error = NegotiationToken::decode(&[0xa1, 2, 0x30, 0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "NegotiationToken: 1 byte too many (at byte 4)");
}

#[test]
fn every_proper_prefix_and_one_byte_more_are_refused() {
    for (name, bytes) in negotiation_tokens() {
        for length in 0..bytes.len() {
            let error = NegotiationToken::decode(&bytes[..length]).unwrap_err();
            assert!(error.offset <= length, "{name} at {length}: {error}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(NegotiationToken::decode(&longer).is_err(), "{name}");
    }
}

#[test]
fn tokens_that_are_too_long_are_refused_before_they_are_read() {
    let list = || MechTypeList::new([MechType::NTLM]).unwrap();
    let fits = vec![0; MAXIMUM_TOKEN - 64];
    let bytes = NegTokenInit { mech_token: Some(&fits), ..NegTokenInit::new(list()) }.to_bytes();
    assert!(NegotiationToken::decode(&bytes).is_ok());
    let long = vec![0; MAXIMUM_TOKEN];
    let bytes = NegTokenInit { mech_token: Some(&long), ..NegTokenInit::new(list()) }.to_bytes();
    assert_eq!(NegotiationToken::decode(&bytes).unwrap_err().offset, 0);
    assert_eq!(InitialContextToken::decode(&bytes).unwrap_err().offset, 0);
}

/// What is read in one go is what is read field by field.
#[test]
fn a_usual_token_is_read_as_any_is() {
    let mut mutator = Mutator::new(3);
    let mut usual = 0;
    for (name, bytes) in negotiation_tokens() {
        for round in 0..20_000 {
            let mut bytes = bytes.clone();
            if round > 0 {
                mutator.mutate_some(&mut bytes, 2);
            }
            if let Some(token) = NegotiationToken::usual(&bytes) {
                usual += 1;
                assert_eq!(NegotiationToken::any(&bytes).as_ref(), Ok(&token), "{name}: {bytes:x?}");
            }
        }
    }
    assert!(usual > 50_000, "{usual}");
}

/// Elements with this tag, each of them all that there is in the one around it.
fn nested(tag: u8, depth: usize) -> Vec<u8> {
    let lengths: Vec<usize> =
        core::iter::successors(Some(0), |inner| Some(size(*inner))).take(depth).collect();
    let mut out = Vec::new();
    lengths.iter().rev().for_each(|length| begin(&mut out, tag, *length));
    out
}

/// An offer that has these fields.
fn offer_of(fields: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, tag::context(0), |out| put_bytes(out, tag::SEQUENCE, fields));
    out
}

#[test]
fn what_is_nested_without_end_is_passed_over_or_refused_where_it_begins() {
    const DEPTH: usize = 16_000;
    for tag in [tag::context(0), tag::SEQUENCE, 0x24, 0x7f] {
        let bomb = nested(tag, DEPTH);
        assert!((DEPTH..MAXIMUM_TOKEN).contains(&bomb.len()), "{}", bomb.len());
        // Behind a number that nobody knows nobody looks.
        let mut fields = Vec::new();
        let list = MechTypeList::new([MechType::NTLM]).unwrap();
        put_bytes(&mut fields, tag::context(0), list.as_der());
        put_bytes(&mut fields, tag::context(7), &bomb);
        assert_eq!(init(&offer_of(&fields)).mech_types, list);
        // Everywhere else it is not what has to be there.
        for number in 0..4 {
            let mut fields = Vec::new();
            put_bytes(&mut fields, tag::context(number), &bomb);
            for token in [&offer_of(&fields), &bomb] {
                let error = NegotiationToken::decode(token).unwrap_err();
                assert!(error.offset < 64, "{tag:x} at {number}: {error}");
            }
        }
    }
}

#[test]
fn an_offer_of_too_many_mechanisms_is_refused() {
    let of = |count| {
        let (mut list, mut field) = (Vec::new(), Vec::new());
        put(&mut list, tag::SEQUENCE, |out| (0..count).for_each(|_| MechType::NTLM.encode(out)));
        put_bytes(&mut field, tag::context(0), &list);
        offer_of(&field)
    };
    assert_eq!(init(&of(MAXIMUM_MECHANISMS)).mech_types.iter().count(), MAXIMUM_MECHANISMS);
    let error = NegotiationToken::decode(&of(MAXIMUM_MECHANISMS + 1)).unwrap_err();
    assert_eq!(error.field, "NegTokenInit.mechTypes");
}

#[test]
fn debug_shows_no_token() {
    let bytes = token("built-init-ntlm-only");
    let shown = format!("{:?} {:?}", init(&bytes), resp(&token("built-resp-accept-incomplete-ntlm")));
    assert!(shown.contains("40 bytes") && shown.contains("NTLM") && !shown.contains("78, 84"), "{shown}");
}

#[test]
fn a_hundred_thousand_mutations_of_each_token_are_read_or_refused() {
    for ((name, bytes), seed) in tokens().zip(0..) {
        let mut mutator = Mutator::new(seed);
        for _ in 0..100_000 {
            let mut mutated = bytes.clone();
            mutator.mutate_some(&mut mutated, 4);
            let _read_or_refused = InitialContextToken::decode(&mutated);
            if let Ok(read) = NegotiationToken::decode(&mutated) {
                let again = read.to_bytes();
                assert_eq!(NegotiationToken::decode(&again).as_ref(), Ok(&read), "{name}");
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(
        arcs in vec(vec(1_u8..0x80, 1..20), 1..MAXIMUM_MECHANISMS),
        flags in option::of(any::<u32>()),
        token in option::of(vec(any::<u8>(), 0..600)),
        name in option::of(vec(any::<u8>(), 0..40)),
        mic in option::of(vec(any::<u8>(), 0..40)),
        state in option::of(0_usize..4),
    ) {
        let mechanism = |arcs: &'_ Vec<u8>| MechType::from_content(arcs).unwrap().content().to_vec();
        let mechanisms: Vec<_> = arcs.iter().map(mechanism).collect();
        let types = || mechanisms.iter().map(|content| MechType::from_content(content).unwrap());
        let init = NegTokenInit {
            mech_types: MechTypeList::new(types()).unwrap(),
            req_flags: flags.map(ContextFlags),
            mech_token: token.as_deref(),
            hints: name.as_deref().map(|name| NegHints { name: Some(name), address: None }),
            mech_list_mic: mic.as_deref(),
        };
        let bytes = init.to_bytes();
        prop_assert_eq!(NegotiationToken::decode(&bytes), Ok(NegotiationToken::Init(init.clone())));
        let resp = NegTokenResp {
            neg_state: state.map(|state| {
                [NegState::AcceptCompleted, NegState::AcceptIncomplete, NegState::Reject, NegState::RequestMic][state]
            }),
            supported_mech: types().next().filter(|_| flags.is_some()),
            response_token: token.as_deref(),
            mech_list_mic: mic.as_deref(),
        };
        let bytes = resp.to_bytes();
        prop_assert_eq!(NegotiationToken::decode(&bytes), Ok(NegotiationToken::Resp(resp.clone())));
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _read_or_refused = NegotiationToken::decode(&bytes);
    }
}
