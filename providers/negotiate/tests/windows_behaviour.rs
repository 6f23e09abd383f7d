//! What Windows itself answers about Negotiate, row by row, where our interface has the same situation. The other rows are
//! in `docs/sspi-map.md`; P2 to P4 are shown with NTLM in `ntlm.rs`.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use opensspi_negotiate::{Negotiate, NegotiateConfig};
use sspi_core::{Registry, SecPkgFlags, SecurityPackage as _};

#[test]
fn p1_the_package_says_what_windows_says() {
    let package = Negotiate::new(NegotiateConfig::default(), Registry::new());
    let info = package.package_info();
    let expected = SecPkgFlags::INTEGRITY
        | SecPkgFlags::PRIVACY
        | SecPkgFlags::CONNECTION
        | SecPkgFlags::MULTI_REQUIRED
        | SecPkgFlags::EXTENDED_ERROR
        | SecPkgFlags::IMPERSONATION
        | SecPkgFlags::ACCEPT_WIN32_NAME
        | SecPkgFlags::NEGOTIABLE
        | SecPkgFlags::GSS_COMPATIBLE
        | SecPkgFlags::LOGON;
    assert_eq!(info.capabilities, expected);
    assert_eq!((info.name.as_ref(), info.version, info.rpc_id), ("Negotiate", 1, 9));
}
