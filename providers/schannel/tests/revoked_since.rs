//! Certificates that are revoked while their peer's judge runs: lists are read again, for sessions and for full handshakes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use opensspi_schannel::{ClientAuth, Revocation, SchannelConfig};
use sspi_core::{CredentialsHandle, SecStatus};
use support::sessions::{Case, connect, resumed};
use support::{World, handshake};
use test_support::TestCertificate;

const LIST: &str = "list.crl";
const MINUTE: Duration = Duration::from_secs(60);

/// A connection's two ends, of which one judges by the list.
struct Judged {
    world: World,
    /// The certificate that is judged.
    certificate: TestCertificate,
    client: Arc<dyn CredentialsHandle>,
    server: Arc<dyn CredentialsHandle>,
    by_server: bool,
}

impl Judged {
    fn new(case: Case, by_server: bool) -> Self {
        let world = World::default();
        world.memory.put(LIST, world.pki.crl(&[]).pem());
        let by_list =
            |config| SchannelConfig { revocation: Revocation::Soft, crls: vec![LIST.to_owned()], ..config };
        let (mut client, mut server) = (case.client(&world), case.server(&world));
        let certificate = case.certificate(if by_server {
            world.pki.client("alice")
        } else {
            world.pki.server("localhost")
        });
        if by_server {
            client.certificates = vec![world.certificate(&certificate)];
            server = by_list(SchannelConfig { client_auth: ClientAuth::Required, ..server });
        } else {
            server.certificates = vec![world.certificate(&certificate)];
            client = by_list(client);
        }
        let (client, server) = (world.outbound(client), world.inbound(server));
        Self { world, certificate, client, server, by_server }
    }

    fn revoke(&self) {
        self.world.memory.put(LIST, self.world.pki.crl(&[&self.certificate]).pem());
    }

    /// How a handshake ends for who judges.
    fn verdict(&self) -> Result<bool, SecStatus> {
        let (client, server) = handshake(&*self.client, &*self.server, usize::MAX);
        let judge = if self.by_server { server } else { client };
        judge.map(|side| resumed(&side)).map_err(|error| error.status())
    }
}

#[test]
fn a_certificate_that_is_revoked_while_its_judge_runs_is_refused_with_its_session_and_without() {
    for case in Case::all() {
        for by_server in [true, false] {
            let judged = Judged::new(case, by_server);
            let what = format!("{case:?}, by the server: {by_server}");
            connect(&*judged.client, &*judged.server);
            judged.revoke();
            assert!(resumed(&connect(&*judged.client, &*judged.server).0), "{what}: not looked at yet");
            judged.world.clock.advance(MINUTE);
            for _ in 0..2 {
                assert_eq!(judged.verdict(), Err(SecStatus::CRYPT_E_REVOKED), "{what}");
            }
        }
    }
}

#[test]
fn lists_that_cannot_be_read_or_used_leave_those_that_there_were() {
    let broken = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
    for by_server in [true, false] {
        for text in ["", "no list", broken] {
            let judged = Judged::new(Case::all().remove(0), by_server);
            let next = |text: String| {
                judged.world.memory.put(LIST, text);
                judged.world.clock.advance(MINUTE);
                judged.verdict()
            };
            assert_eq!(judged.verdict(), Ok(false));
            let nobody = judged.world.pki.crl(&[]).pem();
            let somebody = judged.world.pki.crl(&[&judged.certificate]).pem();
            assert!(next(text.to_owned()).is_ok(), "{text:?}: nobody is revoked");
            assert_eq!(next(somebody), Err(SecStatus::CRYPT_E_REVOKED), "{text:?}");
            assert_eq!(next(text.to_owned()), Err(SecStatus::CRYPT_E_REVOKED), "{text:?}: still");
            assert!(next(nobody).is_ok(), "{text:?}: a good list counts again");
        }
    }
}
