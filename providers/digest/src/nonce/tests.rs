//! What nonces are recognised, and how they are counted.

use test_support::SeededRandom;

use super::*;

struct Seeded(Mutex<SeededRandom>);

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.lock().unwrap().fill(out);
        Ok(())
    }
}

fn random() -> Seeded {
    Seeded(Mutex::new(SeededRandom::new(7)))
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn id(number: u64) -> NonceId {
    let mut id = [0; STAMP];
    id[..8].copy_from_slice(&milliseconds(at(number)).to_be_bytes());
    id
}

fn used(number: u64) -> Use {
    Use::new(id(number), b"alice")
}

const RULES: Rules = Rules { lifetime: Duration::from_secs(300), most_uses: 1000, capacity: 4 };

#[test]
fn a_nonce_is_recognised_with_its_realm_its_opaque_and_its_dialect_and_not_otherwise() {
    let random = random();
    let mint = Mint::new(&random).unwrap();
    let Minted { id, nonce, opaque } = mint.mint(Dialect::Http, "realm", at(5), &random).unwrap();
    let recognised = mint.recognise(&nonce, Dialect::Http, &opaque, "realm").unwrap();
    assert_eq!((made_at(&recognised), recognised), (at(5), id));
    assert_eq!(mint.recognise(&nonce, Dialect::Sasl, &opaque, "realm"), None);
    assert_eq!(mint.recognise(&nonce, Dialect::Http, &opaque, "other"), None);
    assert_eq!(mint.recognise(&nonce, Dialect::Http, b"", "realm"), None);
    assert_eq!(mint.recognise(&nonce, Dialect::Http, &[&opaque[..], b"0"].concat(), "realm"), None);
    let other = Mint::new(&random).unwrap();
    assert_eq!(other.recognise(&nonce, Dialect::Http, &opaque, "realm"), None, "another server's");
    for at in 0..nonce.len() {
        let mut changed = nonce.to_vec();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        assert_eq!(mint.recognise(&changed, Dialect::Http, &opaque, "realm"), None, "{at}");
        assert_eq!(mint.recognise(&nonce[..at], Dialect::Http, &opaque, "realm"), None, "{at}");
    }
}

#[test]
fn no_two_nonces_are_the_same() {
    let random = random();
    let mint = Mint::new(&random).unwrap();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        assert!(seen.insert(mint.mint(Dialect::Sasl, "realm", at(0), &random).unwrap().nonce));
    }
}

#[test]
fn a_count_is_taken_once_in_any_order_within_the_window() {
    let table = Table::new(RULES);
    let enter = |count| table.enter(&used(0), count, b"alice", None, at(1));
    for count in [1, 2, 5, 3, 100, 99, 37] {
        assert_eq!(enter(count), Ok(()), "{count}");
    }
    for count in [0, 1, 2, 3, 5, 37, 99, 100, 36, 4] {
        assert_eq!(enter(count), Err(Unusable::Replayed), "{count}");
    }
    assert_eq!(enter(1000), Ok(()));
    assert_eq!(enter(1001), Err(Unusable::Stale), "it was used as often as it may be");
    assert_eq!(
        table.enter(&used(1), 1, b"alice", None, at(1)),
        Ok(()),
        "another nonce has counts of its own"
    );
}

#[test]
fn a_nonce_lives_as_long_as_it_may() {
    let table = Table::new(RULES);
    assert_eq!(table.enter(&used(0), 1, b"alice", None, at(299)), Ok(()));
    assert_eq!(table.enter(&used(0), 2, b"alice", None, at(300)), Err(Unusable::Stale));
    assert_eq!(table.enter(&used(400), 1, b"alice", None, at(400)), Ok(()));
    assert_eq!(table.len(), 1, "what is too old is forgotten");
}

#[test]
fn a_full_table_forgets_the_oldest_and_takes_nothing_again_that_it_forgot() {
    let table = Table::new(RULES);
    for number in 0..4 {
        assert_eq!(table.enter(&used(number), 1, b"alice", None, at(10)), Ok(()));
    }
    assert_eq!(table.enter(&used(5), 1, b"alice", None, at(10)), Ok(()));
    assert_eq!(table.len(), 4);
    assert_eq!(
        table.enter(&used(0), 1, b"alice", None, at(10)),
        Err(Unusable::Stale),
        "a replay of what was forgotten"
    );
    assert_eq!(table.enter(&used(0), 2, b"alice", None, at(10)), Err(Unusable::Stale));
    assert_eq!(table.enter(&used(1), 2, b"alice", None, at(10)), Ok(()));
}

#[test]
fn a_nonce_of_sasl_is_counted_one_by_one() {
    let table = Table::new(RULES);
    let next =
        |count, client: &[u8], fresh| table.enter_next(&used(0), count, (b"alice", client), fresh, at(1));
    assert_eq!(next(2, b"a", true), Err(Unusable::Stale), "it was never used");
    assert_eq!(next(1, b"a", true), Ok(()));
    assert_eq!(next(1, b"b", true), Err(Unusable::Replayed));
    assert_eq!(next(3, b"b", true), Err(Unusable::Replayed));
    assert_eq!(next(2, b"a", true), Err(Unusable::Stale), "the keys would be the same");
    assert_eq!(next(2, b"b", true), Ok(()));
    assert_eq!(next(3, b"a", false), Ok(()), "there are no keys");
    assert_eq!(next(2, b"c", true), Err(Unusable::Replayed));
}

#[test]
fn each_user_of_a_nonce_has_counts_of_his_own() {
    let table = Table::new(RULES);
    let [alice, bob] = [b"alice".as_slice(), b"bob"].map(|user| Use::new(id(0), user));
    assert_eq!(table.enter(&bob, 900, b"alice", None, at(1)), Ok(()));
    assert_eq!(table.enter(&alice, 1, b"alice", None, at(1)), Ok(()), "bob has used up nothing of alice's");
    assert_eq!(table.enter(&alice, 1, b"alice", None, at(1)), Err(Unusable::Replayed));
    assert_eq!(table.enter(&bob, 901, b"alice", None, at(1)), Ok(()));
    assert_eq!(table.enter_next(&bob, 902, (b"bob", b"x"), true, at(1)), Err(Unusable::Stale));
}

#[test]
fn a_nonce_of_a_time_that_has_not_come_is_stale() {
    let table = Table::new(RULES);
    assert_eq!(table.enter(&used(10), 1, b"alice", None, at(9)), Err(Unusable::Stale));
}

#[test]
fn a_session_goes_on_with_its_first_key_and_the_next_nonce() {
    let table = Table::new(RULES);
    let [first, second] = [1, 2].map(|byte| SessionKey::new(vec![byte; 32]));
    assert_eq!(table.session(&used(0)), None);
    assert_eq!(table.enter(&used(0), 1, b"alice", Some(&first), at(1)), Ok(()));
    assert_eq!(table.enter(&used(0), 2, b"alice", Some(&second), at(1)), Ok(()));
    assert_eq!(table.session(&used(0)), Some(first.clone()));
    table.go_on(&used(1), b"alice", Some(first.clone()));
    assert_eq!(table.session(&used(1)), Some(first));
    assert_eq!(table.enter(&used(1), 1, b"alice", Some(&second), at(1)), Ok(()));
    assert_eq!(table.enter(&used(1), 1, b"alice", Some(&second), at(1)), Err(Unusable::Replayed));
    for number in 2..100 {
        table.go_on(&used(number), b"alice", Some(second.clone()));
    }
    assert_eq!((table.len(), table.session(&used(1))), (4, None), "the table is bounded");
}

#[test]
fn a_nonce_has_served_who_proved_a_secret_with_it_or_with_the_one_before_and_nobody_else() {
    let table = Table::new(RULES);
    let has_served = |number, called: &[u8]| table.has_served(&id(number), called);
    assert!(!has_served(0, b"alice"));
    assert_eq!(table.enter(&used(0), 1, b"as she is called", None, at(1)), Ok(()));
    assert!(has_served(0, b"as she is called"));
    assert!(!has_served(0, b"alice") && !has_served(1, b"as she is called"));
    table.go_on(&used(1), b"as she is called", None);
    assert!(has_served(1, b"as she is called"));
    assert_eq!(table.enter(&used(1), 1, b"as she is called", None, at(1)), Ok(()), "it counts from one");
    assert_eq!(table.enter(&used(1), 1, b"as she is called", None, at(1)), Err(Unusable::Replayed));
}
