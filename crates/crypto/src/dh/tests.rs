use super::*;
use crate::testing::{Broken, Seeded};

#[test]
fn both_ends_agree_in_every_named_group() {
    let random = Seeded::new(1);
    for group in [&MODP_1024, &MODP_1536, &MODP_2048, &FFDHE2048, &FFDHE3072, &FFDHE4096] {
        let (ours, theirs) = (
            EphemeralKey::generate(group, &random).unwrap(),
            EphemeralKey::generate(group, &random).unwrap(),
        );
        assert_eq!(ours.public_value().len(), group.p().len());
        let secret = ours.agree(&theirs.public_value()).unwrap();
        assert_eq!(secret.as_ref(), theirs.agree(&ours.public_value()).unwrap().as_ref());
        assert_ne!(secret.as_ref().first(), Some(&0));
    }
    assert_eq!(EphemeralKey::generate(&FFDHE2048, &Broken).unwrap_err(), AgreementError::Random);
}
