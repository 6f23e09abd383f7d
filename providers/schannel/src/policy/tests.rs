use super::*;

fn read(config: &SchannelConfig) -> Policy {
    Policy::read(config).unwrap_or_else(|error| panic!("{error}"))
}

fn of(profile: Profile) -> SchannelConfig {
    SchannelConfig { profile, ..Default::default() }
}

fn names(policy: &Policy) -> Vec<&'static str> {
    policy.suites.iter().map(Suite::name).collect()
}

const EVERYTHING: SpProt = SpProt(u32::MAX);

#[test]
fn the_default_needs_rustls_alone() {
    let policy = read(&SchannelConfig::default());
    assert_eq!(policy.protocols, Protocol::MODERN);
    assert!(policy.suites.iter().all(|suite| suite.rustls().is_some()));
    assert_eq!(policy.suites.len(), SUITES.len());
    assert_eq!(policy.legacy_protocols(EVERYTHING).count(), 0);
    assert!(policy.legacy_things().is_empty() && policy.legacy_signatures().is_empty());
    assert!(policy.allowed_weaknesses.is_empty());
    assert_eq!((policy.dh_minimum_bits, policy.record_splitting), (2048, true));
}

#[test]
fn each_profile_adds_to_the_one_before_but_the_museum_stands_alone() {
    let modern = read(&of(Profile::Modern));
    let compatible = read(&of(Profile::Compatible));
    assert_eq!(compatible.protocols, Protocol::MODERN);
    assert!(names(&compatible).starts_with(&names(&modern)));
    assert!(names(&compatible).contains(&"TLS_RSA_WITH_AES_128_CBC_SHA"));
    for suite in names(&compatible) {
        let weak = ["3DES", "RC4", "_DES_", "EXPORT", "NULL", "DSS"];
        assert!(!weak.iter().any(|word| suite.contains(word)), "{suite}");
    }
    assert_eq!(compatible.legacy_protocols(EVERYTHING).collect::<Vec<_>>(), [Protocol::Tls12]);

    let legacy = read(&of(Profile::Legacy));
    assert_eq!(legacy.protocols, [Protocol::Tls13, Protocol::Tls12, Protocol::Tls11, Protocol::Tls10]);
    assert!(names(&compatible).iter().all(|suite| names(&legacy).contains(suite)));
    assert!(names(&legacy).contains(&"TLS_RSA_WITH_3DES_EDE_CBC_SHA"));
    for suite in names(&legacy) {
        assert!(!["RC4", "_DES_CBC", "EXPORT", "NULL"].iter().any(|word| suite.contains(word)), "{suite}");
    }
    assert_eq!(legacy.legacy_things(), ["tls1.1", "tls1.0", "3des"]);
    assert!(legacy.allowed_weaknesses.is_empty());
}

#[test]
fn a_weakness_of_certificates_that_is_allowed_is_named_among_the_things_of_the_past() {
    let allow = vec![Allow::Certificate(Weakness::Md5Signature), Allow::Certificate(Weakness::Rsa1024)];
    let policy = read(&SchannelConfig { allow: Some(allow), ..of(Profile::Modern) });
    assert_eq!(policy.legacy_things(), ["md5-signature", "rsa-1024"]);
}

#[test]
fn windows_2003_is_the_document() {
    let policy = read(&of(Profile::Windows2003));
    assert_eq!(policy.protocols, [Protocol::Tls10, Protocol::Ssl30, Protocol::Ssl20]);
    assert_eq!(
        names(&policy),
        [
            "TLS_RSA_WITH_RC4_128_MD5",
            "TLS_RSA_WITH_RC4_128_SHA",
            "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
            "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA",
            "TLS_RSA_WITH_DES_CBC_SHA",
            "TLS_DHE_DSS_WITH_DES_CBC_SHA",
            "TLS_RSA_EXPORT1024_WITH_RC4_56_SHA",
            "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA",
            "TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA",
            "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
            "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
            "TLS_RSA_WITH_NULL_MD5",
            "TLS_RSA_WITH_NULL_SHA",
            "SSL_CK_RC4_128_WITH_MD5",
            "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
            "SSL_CK_RC2_128_CBC_WITH_MD5",
            "SSL_CK_DES_64_CBC_WITH_MD5",
            "SSL_CK_RC4_128_EXPORT40_WITH_MD5",
            "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5",
        ]
    );
    assert_eq!(policy.rustls_protocols(EVERYTHING).count(), 0);
    assert_eq!(policy.allowed_weaknesses, Weakness::ALL);
    // PCT is off until it is named, and then has the place that the document gives it.
    let order = [Protocol::Tls10, Protocol::Ssl30, Protocol::Pct1, Protocol::Ssl20];
    let policy = read(&SchannelConfig { protocols: order.to_vec(), ..of(Profile::Windows2003) });
    assert_eq!(policy.protocols, order);
    assert!(names(&policy).contains(&"PCT1_RC4_128_WITH_MD5"));
}

#[test]
fn the_museum_has_everything() {
    let policy = read(&of(Profile::Museum));
    assert_eq!(policy.protocols, Protocol::ALL);
    for row in by_preference() {
        assert!(names(&policy).contains(&row.name), "{}", row.name);
    }
    assert_eq!(policy.allowed_weaknesses, Weakness::ALL);
    assert!(policy.v2_hello);
}

#[test]
fn what_stands_beside_a_profile_wins() {
    let config = SchannelConfig {
        protocols: vec![Protocol::Ssl30, Protocol::Tls12],
        suites: vec![
            "tls_rsa_with_rc4_128_sha".to_owned(),
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".to_owned(),
        ],
        allow: Some(Vec::new()),
        dh_minimum_bits: Some(3072),
        ..of(Profile::Windows2003)
    };
    let policy = read(&config);
    assert_eq!(policy.protocols, [Protocol::Ssl30, Protocol::Tls12], "in the order that was given");
    assert_eq!(names(&policy), ["TLS_RSA_WITH_RC4_128_SHA", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
    assert!(policy.allowed_weaknesses.is_empty());
    assert_eq!(policy.dh_minimum_bits, 3072);
    assert_eq!(policy.rustls_protocols(EVERYTHING).collect::<Vec<_>>(), [Protocol::Tls12]);
}

#[test]
fn an_old_protocol_that_is_named_brings_the_suites_that_it_needs() {
    for protocol in Protocol::ALL.into_iter().filter(|protocol| protocol.is_old()) {
        let policy = read(&SchannelConfig { protocols: vec![protocol], ..Default::default() });
        let strong = match protocol {
            Protocol::Pct1 => "PCT1_DES_168_WITH_SHA",
            Protocol::Ssl20 => "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
            _ => "TLS_RSA_WITH_AES_256_CBC_SHA",
        };
        assert!(names(&policy).contains(&strong), "{protocol:?}");
        assert!(policy.suites.iter().all(|suite| suite.is_legal_in(protocol)));
        assert!(policy.suites.iter().all(|suite| suite.legacy().and_then(weakness).is_none()));
    }
}

#[test]
fn weak_classes_stand_behind_the_others_and_hold_what_their_names_say() {
    for class in WeakSuites::ALL {
        let config = |allow| SchannelConfig {
            protocols: vec![Protocol::Tls11, Protocol::Tls10],
            allow,
            ..Default::default()
        };
        let without = names(&read(&config(None)));
        let with = names(&read(&config(Some(vec![Allow::Suites(class)]))));
        let (same, added) = with.split_at(without.len());
        assert_eq!(same, without, "{class:?}");
        assert!(!added.is_empty(), "{class:?}");
        for suite in added {
            let (is_export, word) = match class {
                WeakSuites::Rc4 => (false, "RC4_128"),
                WeakSuites::Des => (false, "_DES_CBC"),
                WeakSuites::Export => (true, "EXPORT"),
                WeakSuites::Null => (false, "NULL"),
            };
            assert!(suite.contains(word) && suite.contains("EXPORT") == is_export, "{class:?}: {suite}");
        }
    }
}

#[test]
fn protocols_of_a_profile_without_a_suite_are_left_out_and_named_ones_are_an_error() {
    let suites = vec!["TLS_AES_128_GCM_SHA256".to_owned()];
    let policy = read(&SchannelConfig { suites: suites.clone(), ..Default::default() });
    assert_eq!(policy.protocols, [Protocol::Tls13]);
    let config = SchannelConfig { suites, protocols: Protocol::MODERN.to_vec(), ..Default::default() };
    let error = Policy::read(&config).unwrap_err();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_ALGORITHM_MISMATCH, Some("suites")));
    assert!(error.message().contains("tls1.2 is enabled, and none of the suites"), "{error}");
}

#[test]
fn what_cannot_be_is_said_with_what_could() {
    let with = |suite: &str, protocols: &[Protocol]| {
        let config = SchannelConfig {
            suites: vec![suite.to_owned()],
            protocols: protocols.to_vec(),
            ..Default::default()
        };
        Policy::read(&config).unwrap_err()
    };
    let error = with("TLS_RSA_EXPORT_WITH_RC4_40_MD5", &[Protocol::Tls12, Protocol::Tls11]);
    assert_eq!(
        error.message(),
        "TLS_RSA_EXPORT_WITH_RC4_40_MD5 can be used with tls1.0, ssl3, and enabled is only tls1.2, tls1.1"
    );
    let error = with("TLS_RSA_WITH_IDEA_CBC_SHA", &[]);
    assert!(error.message().starts_with(
        "there is no cipher suite \"TLS_RSA_WITH_IDEA_CBC_SHA\" here; the most alike are TLS_RSA_WITH_"
    ));
    for bits in [0, 511, 4097] {
        let config = SchannelConfig { dh_minimum_bits: Some(bits), ..Default::default() };
        let error = Policy::read(&config).unwrap_err();
        assert_eq!(error.setting(), Some("dh-minimum-bits"), "{error}");
    }
}

#[test]
fn every_suite_of_either_table_is_known_by_its_name_and_says_what_it_is() {
    for suite in Suite::all() {
        assert_eq!(Suite::by_name(&suite.name().to_lowercase()), Some(suite));
        assert_eq!(Suite::by_code(suite.code()), Some(suite));
        assert!(Protocol::ALL.iter().any(|protocol| suite.is_legal_in(*protocol)), "{suite:?}");
        assert_eq!(
            suite.exchange().is_none(),
            suite.rustls().is_some_and(|row| row.is_tls13) || suite.legacy().is_none()
        );
        // Where both tables have it, they say the same.
        if let (Some(rustls), Some(legacy)) = (suite.rustls(), suite.legacy()) {
            assert_eq!(rustls.name, legacy.name);
            assert_eq!(legacy.strength.0, suite.cipher().bits);
            assert!(suite.mac().is_none());
            let certificate = Suite::of_row(legacy).certificate();
            assert_eq!(certificate, rustls.certificate);
        }
    }
}
