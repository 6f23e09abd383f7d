//! The old protocols against peers that still have them: every suite that the peer has, in every version that allows it,
//! and client certificates, resumption, records of every length and the splitting of records. What peers lack is in
//! `suites.toml`.

use opensspi_integration_tests::legacy::{check_suites, check_trials};
use opensspi_integration_tests::matrix::Role;
use opensspi_integration_tests::peers::Peer;

macro_rules! tests {
    ($($module:ident: $peer:ident;)*) => {
        $(
            mod $module {
                use super::*;

                #[test]
                fn we_connect_with_every_suite_that_it_serves() {
                    check_suites(Peer::$peer, Role::Server);
                }

                #[test]
                fn we_serve_every_suite_that_it_connects_with() {
                    check_suites(Peer::$peer, Role::Client);
                }

                #[test]
                fn certificates_sessions_and_records_are_understood_where_we_connect() {
                    check_trials(Peer::$peer, Role::Server);
                }

                #[test]
                fn certificates_sessions_and_records_are_understood_where_we_serve() {
                    check_trials(Peer::$peer, Role::Client);
                }
            }
        )*

        #[test]
        fn every_peer_has_its_tests() {
            let tested = [$(Peer::$peer),*];
            assert!(Peer::LEGACY.iter().all(|peer| tested.contains(peer)));
        }
    };
}

tests! {
    openssl: OpenSsl;
    openssl111: OpenSsl111;
    node: Node;
    nassl: Nassl;
    java: Java;
    nss: Nss;
    gnutls: GnuTls;
    tlslite: Tlslite;
    scapy: Scapy;
}
