//! The known answers of MS-NLMP section 4.2, and of a real exchange.

use sspi_core::ChannelBindings;
use test_support::hex::decode as hex;

use super::*;
use crate::messages::{AuthenticateMessage, NtlmV2Response};

const SERVER_CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const CLIENT_CHALLENGE: [u8; 8] = [0xaa; 8];
const RANDOM_SESSION_KEY: [u8; 16] = [0x55; 16];

fn key(digits: &str) -> Key {
    Zeroizing::new(hex(digits).try_into().unwrap())
}

fn password() -> NtHash {
    NtHash::of_password("Password")
}

/// MS-NLMP sections 4.2.2.1.1 and 4.2.2.1.2.
#[test]
fn the_hashes_of_version_1_are_those_of_the_specification() {
    assert_eq!(password().0, *key("a4f49c406510bdcab6824ee7c30fd852"));
    assert_eq!(lmowf_v1("Password").unwrap(), key("e52cac67419a9a224a3b108f3fa6cb6d"));
    assert!(lmowf_v1("fifteen letters").is_none() && lmowf_v1("Jürgen").is_none());
    assert_eq!(lmowf_v1("").unwrap(), key("aad3b435b51404eeaad3b435b51404ee"));
}

/// MS-NLMP section 4.2.2.2.
#[test]
fn the_responses_of_version_1_are_those_of_the_specification() {
    let nt = desl(&password().0, SERVER_CHALLENGE);
    assert_eq!(nt[..], hex("67c43011f30298a2ad35ece64f16331c44bdbed927841f94"));
    let lm = desl(&lmowf_v1("Password").unwrap(), SERVER_CHALLENGE);
    assert_eq!(lm[..], hex("98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13"));
}

/// MS-NLMP sections 4.2.2.1.3, 4.2.2.2.3 and 4.2.2.2.4.
#[test]
fn the_keys_of_version_1_are_those_of_the_specification() {
    let base = session_base_key_v1(&password());
    assert_eq!(base, key("d87262b0cde4b1cb7499becccdf10784"));
    let lm_hash = lmowf_v1("Password").unwrap();
    let lm = hex("98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13");
    for (flags, exchange, encrypted) in [
        (0, "d87262b0cde4b1cb7499becccdf10784", "518822b1b3f350c8958682ecbb3e3cb7"),
        (0x40_0000, "e52cac67419a9a220000000000000000", "7452ca55c225a1ca04b48fae32cf56fc"),
        (0x80, "b09e379f7fbecb1eaf0afdcb0383c8a0", "4cd7bb57d697ef9b549f02b8f9b37864"),
    ] {
        let found = key_exchange_key_v1(NegotiateFlags(flags), &base, Some(&lm_hash), &SERVER_CHALLENGE, &lm);
        assert_eq!(found, key(exchange));
        assert_eq!(rc4k(&found, &RANDOM_SESSION_KEY), key(encrypted));
    }
}

/// MS-NLMP section 4.2.3.
#[test]
fn version_1_with_extended_session_security_is_that_of_the_specification() {
    let nt = ntlm2_session_response(&password(), &SERVER_CHALLENGE, &CLIENT_CHALLENGE);
    assert_eq!(nt[..], hex("7537f803ae367128ca458204bde7caf81e97ed2683267232"));
    let base = session_base_key_v1(&password());
    let lm = hex("aaaaaaaaaaaaaaaa00000000000000000000000000000000");
    let exchange = key_exchange_key_v1(NegotiateFlags(0x820a_8233), &base, None, &SERVER_CHALLENGE, &lm);
    assert_eq!(exchange, key("eb93429a8bd952f8b89c55b87f475edc"));
}

/// MS-NLMP section 4.2.4.
#[test]
fn version_2_is_that_of_the_specification() {
    assert_eq!(ntowf_v2(&password(), "User", "Domain"), key("0c868a403bfd7a93a3001ef22ef02e3f"));
    let response_key = response_key(&password(), "User", "Domain");
    let temp = hex(
        "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c0053006500720076
         00650072000000000000000000",
    );
    let proof = nt_proof_str(&response_key, &SERVER_CHALLENGE, &temp);
    assert_eq!(proof, key("68cd0ab851e51c96aabc927bebef6a1c"));
    let lm = lm_v2_response(&response_key, &SERVER_CHALLENGE, &CLIENT_CHALLENGE);
    assert_eq!(lm[..], hex("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"));
    let base = session_base_key_v2(&response_key, &proof);
    assert_eq!(base, key("8de40ccadbc14a82f15cb0ad0de95ca3"));
    assert_eq!(rc4k(&base, &RANDOM_SESSION_KEY), key("c5dad2544fc9799094ce1ce90bc9d03e"));
}

#[test]
fn the_mic_is_over_the_three_messages_with_zeros_in_its_place() {
    let negotiate = hex("4e544c4d5353500001000000b78208e2000000000000000000000000000000000a0063450000000f");
    let challenge = hex(
        "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000060070170000000f
         53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000",
    );
    let authenticate = hex(
        "4e544c4d5353500003000000180018007c00000068006800940000000c000c00580000000800080064000000100010006c00000010001000
         fc000000358288e20a0063450000000f676f6227b9f8e88bf3edd90ebd3e3f4344006f006d00610069006e00550073006500720043004f00
         4d00500055005400450052000000000000000000000000000000000000000000000000001fba18a05c85872fe9293f7bdcf5257601010000
         00000000000000000000d901aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c00530065007200760065007200
         07000800000000000000d901060004000200000000000000000000001bc04ef1db3de115f8eb50c8a6a943c6",
    );
    let found = mic(&Zeroizing::new(RANDOM_SESSION_KEY), &negotiate, &challenge, &authenticate);
    assert_eq!(found, key("676f6227b9f8e88bf3edd90ebd3e3f43"));
    assert_eq!(authenticate[AuthenticateMessage::MIC_RANGE], *found);
}

#[test]
fn bindings_are_hashed_as_the_structure_of_gss() {
    let data = hex(
        "746c732d7365727665722d656e642d706f696e743a60a3fc80cd8d087bc8168f6570269dc500863b337424a07aa71b9a104dc25c7f",
    );
    let hash = channel_bindings_hash(Some(&ChannelBindings::from_application_data(data)));
    assert_eq!(hash, *key("b267f446f35364e41809eedda933e53e"));
    assert_eq!(channel_bindings_hash(None), [0; 16]);
}

/// From Windows 7 to Windows Server 2008 R2, as the tests of gss-ntlmssp print it.
#[test]
fn an_answer_of_windows_proves_its_password() {
    let server_challenge = [0xa2, 0xc5, 0xe8, 0xca, 0x30, 0x84, 0xaa, 0x72];
    let authenticate = hex(
        "4e544c4d535350000300000018001800940000007c017c01ac00000010001000580000001a001a0068000000120012008200000000000000
         28020000058288a20601b01d0000000ff054a542b090b66c1fea1a2cc82e930b57005300320030003000380052003200410064006d006900
         6e006900730074007200610074006f007200570049004e0037002d0032002d00500043000000000000000000000000000000000000000000
         000000005a6a21ae1a44c044693eee59fc5d81e001010000000000007be73fc30bdecd0127fc118082c2fbdd000000000200100057005300
         32003000300038005200320001001600440043002d005700530032003000300038005200320004001c007700730032003000300038007200
         32002e006c006f00630061006c0003003400440043002d00770073003200300030003800720032002e007700730032003000300038007200
         32002e006c006f00630061006c0005001c00770073003200300030003800720032002e006c006f00630061006c00070008007be73fc30bde
         cd0106000400020000000800300030000000000000000100000000200000 4d6b0d27541022f5ffa673da2bfcfdf1942f257be11a49c9541
         97aca8aaf2eaf0a0010006586e99d81c2fc984e47172fd4dd031009003e0048005400540050002f00640063002d007700730032003000300
         03800720032002e00770073003200300030003800720032002e006c006f00630061006c00000000000000000000000000",
    );
    let message = AuthenticateMessage::decode(&authenticate).unwrap();
    let [user, domain] = [message.user, message.domain].map(|name| message.text("", name).unwrap());
    assert_eq!((user.as_str(), domain.as_str()), ("Administrator", "WS2008R2"));
    let hash = NtHash::of_password("P@ssw0rd");
    assert_eq!(hash.0, *key("e19ccf75ee54e06b06a5907af13cef42"));
    let response = NtlmV2Response::decode(message.nt_response).unwrap();
    let response_key = response_key(&hash, &user, &domain);
    assert_eq!(*nt_proof_str(&response_key, &server_challenge, response.temp), response.nt_proof_str);
    let pairs = &response.content.av_pairs;
    assert!(pairs.flags().contains(crate::messages::AvFlags::MIC) && message.mic.is_some());
    assert_eq!(
        pairs.text(crate::messages::AvId::TARGET_NAME).unwrap().as_deref(),
        Some("HTTP/dc-ws2008r2.ws2008r2.local")
    );
}

#[test]
fn names_are_upper_cased_character_by_character() {
    assert_eq!("Jürgen ß ŉ ж".chars().map(upper_case).collect::<String>(), "JÜRGEN ß ŉ Ж");
}

#[test]
fn hashes_are_read_and_shown_as_hexadecimal_and_never_by_debug() {
    let hash = password();
    assert_eq!(format!("{hash:?}"), "NtHash([secret])");
    assert!(NtHash::from_hex("a4f49c406510bdcab6824ee7c30fd85").is_none());
    assert!(NtHash::from_hex("a4f49c406510bdcab6824ee7c30fd85g").is_none());
    assert!(NtHash::from_hex("+4f49c406510bdcab6824ee7c30fd852").is_none());
    assert!(NtHash::from_hex("A4F49C406510BDCAB6824EE7C30FD852").unwrap() == hash);
}
