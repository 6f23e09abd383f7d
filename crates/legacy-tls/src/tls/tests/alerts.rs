//! Alerts by number, as each version has them.

use super::*;

/// What SSL 3.0 says in place of each alert that there is: its own twelve as they are, and the others as the nearest of them.
///
/// Spec: SSL30 section 5.4.2; TLS10 appendix A.3 for those of TLS.
const IN_SSL30: [(u8, u8); 29] = [
    (0, 0),
    (10, 10),
    (20, 20),
    (21, 20),
    (22, 20),
    (30, 30),
    (40, 40),
    (41, 41),
    (42, 42),
    (43, 43),
    (44, 44),
    (45, 45),
    (46, 46),
    (47, 47),
    (48, 42),
    (49, 46),
    (50, 47),
    (51, 40),
    (60, 40),
    (70, 40),
    (71, 40),
    (80, 40),
    // Only a client that knows it can be told. Spec: SCSV section 3.
    (86, 86),
    (90, 40),
    (100, 40),
    (110, 40),
    (112, 40),
    (113, 40),
    (120, 40),
];

#[test]
fn ssl30_has_every_alert_as_one_of_its_own() {
    let mut table = IN_SSL30.to_vec();
    let named: Vec<u8> = (0..=255).filter(|number| AlertDescription(*number).name().is_some()).collect();
    let listed: Vec<u8> = table.iter().map(|(number, _)| *number).collect();
    assert_eq!(listed, named, "every alert that has a name");
    // Of what has no name nobody knows what it is like.
    table.extend([(1, 40), (99, 40), (255, 40)]);
    for (number, said) in table {
        let description = ProtocolVersion::SSL30.alert(AlertDescription(number));
        assert_eq!(description, AlertDescription(said), "{:?}", AlertDescription(number));
    }
}

#[test]
fn tls_says_alerts_as_they_are() {
    for version in [ProtocolVersion::TLS10, ProtocolVersion::TLS11, ProtocolVersion::TLS12] {
        for number in 0..=255 {
            let description = AlertDescription(number);
            assert_eq!(version.alert(description), description, "{version}");
        }
    }
}
