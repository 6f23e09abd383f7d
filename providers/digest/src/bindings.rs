//! What ties an authentication to the channel that it runs in.
//!
//! Digest has no directive for channel bindings. A client of this package that is given bindings makes its nonce of them, and
//! the nonce is part of what is proved:
//!
//! ```text
//! cnonce      "cb1." · random, 32 hexadecimal digits · "." · SHA-256 over random and bindings, 64 hexadecimal digits
//! ```
//!
//! To a server that knows nothing of this, it is a nonce like any other. One that does sees for which channel the client
//! authenticated. Whoever stands in between cannot change it or leave it out without knowing the password. (Windows has a form
//! of its own for this, which is not spoken here.)

use crypto::constant_time::ct_eq;
use crypto::hash::{Digest, Hash};
use crypto::random::{Random, RandomError};
use sspi_core::ChannelBindings;

use crate::config::BindingPolicy;
use crate::status::Error;
use crate::text::{Text, from_hex, hex};

const PREFIX: &[u8] = b"cb1.";

/// A client's nonce.
pub(crate) fn client_nonce(
    random: &dyn Random,
    bindings: Option<&ChannelBindings>,
) -> Result<Text, RandomError> {
    let mut fresh = [0; 16];
    random.fill(&mut fresh)?;
    Ok(match bindings {
        None => Text::from(hex(&fresh).as_str()),
        Some(bindings) => {
            Text::from(format!("cb1.{}.{}", hex(&fresh), hex(bound(&fresh, bindings).as_ref())).as_str())
        }
    })
}

fn bound(fresh: &[u8], bindings: &ChannelBindings) -> Digest {
    let mut hash = Hash::Sha256.context();
    hash.update(fresh);
    hash.update(bindings.application_data());
    hash.finish()
}

/// Whether a client's nonce is for this channel, under a server's policy. With a proxy, the channel that clients see ends
/// before the server.
pub(crate) fn check(
    client_nonce: &[u8],
    bindings: Option<&ChannelBindings>,
    has_proxy: bool,
    policy: BindingPolicy,
) -> Result<(), Error> {
    if policy == BindingPolicy::Never {
        return Ok(());
    }
    let Some(bindings) = bindings else {
        // It is bound to a channel, and there is none: somebody in between has passed it on.
        if client_nonce.starts_with(PREFIX) && !(has_proxy && policy == BindingPolicy::WhenSupported) {
            return Err(Error::Bindings);
        }
        return if policy == BindingPolicy::Always { Err(Error::NoBindings) } else { Ok(()) };
    };
    let Some(rest) = client_nonce.strip_prefix(PREFIX) else {
        return if policy == BindingPolicy::Always { Err(Error::NoBindings) } else { Ok(()) };
    };
    let parts =
        rest.split_first_chunk::<32>().and_then(|(fresh, rest)| Some((fresh, rest.strip_prefix(b".")?)));
    let Some((fresh, found)) = parts.and_then(|(fresh, found)| Some((from_hex(fresh)?, from_hex(found)?)))
    else {
        return Err(Error::Bindings);
    };
    if ct_eq(bound(&fresh, bindings).as_ref(), &found) { Ok(()) } else { Err(Error::Bindings) }
}
