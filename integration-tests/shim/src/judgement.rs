//! Who is accepted: the application's judgement of a certificate, which here is what the flags say.
//!
//! The runner's certificates are self-signed, expired, or its own authority's, and its own shim judges them in a callback
//! that accepts everything, or with `-verify-fail` nothing. The package leaves the judgement to the application
//! (`ISC_REQ_MANUAL_CRED_VALIDATION`, `AcceptRequest::manual_cred_validation`), which has its say once the handshake is over
//! and before anything is sent.

use crate::flags::Options;

/// What the runner's shim says where its callback says nothing of an alert.
const HANDSHAKE_FAILURE: u8 = 40;
const CERTIFICATE_UNKNOWN: u8 = 46;
const BAD_CERTIFICATE_STATUS_RESPONSE: u8 = 113;

/// Why the peer is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) alert: u8,
    pub(crate) says: &'static str,
}

/// Why the peer is not accepted, if it is not; it has shown a certificate, or none.
pub(crate) const fn refusal(options: &Options, has_certificate: bool, resumed: bool) -> Option<Refusal> {
    let judges = has_certificate && (options.verify_peer || options.require_any_client_certificate);
    // What was judged when the session was made is not judged again, unless it is asked for.
    if judges && options.verify_fail && (!resumed || options.reverify_on_resume) {
        let alert = if options.custom_verify { CERTIFICATE_UNKNOWN } else { HANDSHAKE_FAILURE };
        let says = ":CERTIFICATE_VERIFY_FAILED: the application does not accept the peer's certificate";
        return Some(Refusal { alert, says });
    }
    if options.fail_ocsp_callback && !resumed {
        let says = ":OCSP_CB_ERROR: the application does not accept what the server has stapled";
        return Some(Refusal { alert: BAD_CERTIFICATE_STATUS_RESPONSE, says });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(set: fn(&mut Options)) -> Options {
        let mut options = Options::default();
        options.verify_fail = true;
        set(&mut options);
        options
    }

    fn alert(options: &Options, resumed: bool) -> Option<u8> {
        assert!(resumed || options.fail_ocsp_callback || refusal(options, false, resumed).is_none());
        refusal(options, true, resumed).map(|refusal| refusal.alert)
    }

    #[test]
    fn only_who_judges_refuses() {
        assert_eq!(alert(&options(|_| {}), false), None);
        assert_eq!(alert(&options(|o| o.verify_peer = true), false), Some(40));
        assert_eq!(alert(&options(|o| o.require_any_client_certificate = true), false), Some(40));
        let accepts = options(|o| (o.verify_peer, o.verify_fail) = (true, false));
        assert_eq!(alert(&accepts, false), None);
    }

    #[test]
    fn a_callback_has_its_own_alert_and_a_session_is_judged_again_on_demand() {
        let custom = |again| {
            let mut options = options(|o| (o.verify_peer, o.custom_verify) = (true, true));
            options.reverify_on_resume = again;
            options
        };
        assert_eq!(alert(&custom(false), false), Some(46));
        assert_eq!(alert(&custom(false), true), None);
        assert_eq!(alert(&custom(true), true), Some(46));
    }

    #[test]
    fn what_is_stapled_is_judged_with_the_certificate() {
        let stapled = options(|o| o.fail_ocsp_callback = true);
        assert_eq!(alert(&stapled, false), Some(113));
        assert_eq!(alert(&stapled, true), None);
    }
}
