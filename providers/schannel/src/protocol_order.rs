//! Which protocol is spoken: the most preferred one that both sides have.
//!
//! The order is that of the setting `protocols`, or else of the profile. Windows Server 2003 has it written down: TLS 1.0,
//! then SSL 3.0, then PCT 1.0, then SSL 2.0.
//!
//! Spec: WS2003 (How TLS/SSL Works: TLS/SSL Architecture, Security Support Provider Interface).

use legacy_tls::{Offer, ProtocolVersion};

use crate::config::Protocol;

impl Protocol {
    /// As the engine calls it.
    pub(crate) const fn engine(self) -> ProtocolVersion {
        ProtocolVersion(self.version())
    }
}

/// The best protocol of `order`, which has the preferred one first: for the peer's first token the best that it offers; for
/// an initiator, who has heard nothing yet, the best of all.
pub(crate) fn best(order: &[Protocol], offer: Option<&Offer>) -> Option<Protocol> {
    let Some(offer) = offer else { return order.first().copied() };
    let versions: Vec<ProtocolVersion> = order.iter().map(|protocol| protocol.engine()).collect();
    let best = offer.best(&versions)?;
    order.iter().copied().find(|protocol| protocol.engine() == best)
}

/// Whether newer protocols are preferred to older ones, as everybody does who has no reason.
pub(crate) fn is_natural(order: &[Protocol]) -> bool {
    order.is_sorted_by_key(|protocol| core::cmp::Reverse(protocol.engine()))
}

/// What is left of `order` when the hello offers `offer` in a way that lets nobody but the newest speak: those that are
/// offered, newer than the best, and less preferred are taken out.
pub(crate) fn without_newer(order: &[Protocol], offer: &Offer) -> Vec<Protocol> {
    let Some(best) = best(order, Some(offer)) else { return order.to_vec() };
    let is_in_the_way =
        |protocol: &Protocol| offer.has(protocol.engine()) && protocol.engine() > best.engine();
    order.iter().copied().filter(|protocol| !is_in_the_way(protocol)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of Windows Server 2003.
    const ORDER: [Protocol; 4] = [Protocol::Tls10, Protocol::Ssl30, Protocol::Pct1, Protocol::Ssl20];

    fn subset(bits: u32) -> Vec<Protocol> {
        (0..).zip(ORDER).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, protocol)| protocol).collect()
    }

    fn offer(protocols: &[Protocol]) -> Offer {
        Offer::of(protocols.iter().map(|protocol| protocol.engine()))
    }

    /// What is spoken, by server (row) and client (column), each a set of T (TLS 1.0), S (SSL 3.0), P (PCT 1.0) and 2 (SSL 2.0).
    const TABLE: &str = "
        .    T S TS P TP SP TSP 2 T2 S2 TS2 P2 TP2 SP2 TSP2
        T    T . T  . T  .  T   . T  .  T   .  T   .   T
        S    . S S  . .  S  S   . .  S  S   .  .   S   S
        TS   T S T  . T  S  T   . T  S  T   .  T   S   T
        P    . . .  P P  P  P   . .  .  .   P  P   P   P
        TP   T . T  P T  P  T   . T  .  T   P  T   P   T
        SP   . S S  P P  S  S   . .  S  S   P  P   S   S
        TSP  T S T  P T  S  T   . T  S  T   P  T   S   T
        2    . . .  . .  .  .   2 2  2  2   2  2   2   2
        T2   T . T  . T  .  T   2 T  2  T   2  T   2   T
        S2   . S S  . .  S  S   2 2  S  S   2  2   S   S
        TS2  T S T  . T  S  T   2 T  S  T   2  T   S   T
        P2   . . .  P P  P  P   2 2  2  2   P  P   P   P
        TP2  T . T  P T  P  T   2 T  2  T   P  T   P   T
        SP2  . S S  P P  S  S   2 2  S  S   P  P   S   S
        TSP2 T S T  P T  S  T   2 T  S  T   P  T   S   T
    ";

    fn named(name: &str) -> Vec<Protocol> {
        name.chars()
            .filter_map(|letter| match letter {
                'T' => Some(Protocol::Tls10),
                'S' => Some(Protocol::Ssl30),
                'P' => Some(Protocol::Pct1),
                '2' => Some(Protocol::Ssl20),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn every_client_and_every_server_of_the_four_speak_what_the_table_says() {
        let mut rows = TABLE.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut rows = rows.by_ref().filter(|row| !row.is_empty());
        let head = rows.next().unwrap();
        let mut pairs = 0;
        for (number, row) in (1..).zip(rows) {
            let server = named(row[0]);
            assert_eq!(server, subset(number));
            assert_eq!(best(&server, None), server.first().copied(), "an initiator begins with its best");
            for (client, spoken) in head.iter().zip(&row).skip(1) {
                let expected = named(spoken).first().copied();
                assert_eq!(best(&server, Some(&offer(&named(client)))), expected, "{client} to {}", row[0]);
                pairs += 1;
            }
        }
        assert_eq!(pairs, 15 * 15);
    }

    #[test]
    fn a_server_of_all_four_and_a_client_of_ssl_3_and_pct_speak_ssl_3() {
        let client = offer(&[Protocol::Pct1, Protocol::Ssl30]);
        assert_eq!(best(&ORDER, Some(&client)), Some(Protocol::Ssl30));
    }

    #[test]
    fn the_order_is_what_was_configured_and_not_the_age() {
        let order = [Protocol::Ssl30, Protocol::Tls12, Protocol::Tls10];
        assert_eq!(best(&order, Some(&Offer::up_to(ProtocolVersion::TLS12))), Some(Protocol::Ssl30));
        assert_eq!(best(&order, Some(&offer(&[Protocol::Tls10, Protocol::Tls12]))), Some(Protocol::Tls12));
        assert_eq!(best(&order, Some(&Offer::default())), None);
        assert_eq!(best(&[], None), None);
        assert!(is_natural(&Protocol::ALL) && is_natural(&ORDER) && !is_natural(&order));
        let all = Offer::up_to(ProtocolVersion::TLS12);
        assert_eq!(without_newer(&order, &all), [Protocol::Ssl30]);
        assert_eq!(without_newer(&Protocol::ALL, &all), Protocol::ALL);
    }
}
