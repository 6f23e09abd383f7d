//! How tokens and messages are told apart on a stream of bytes.

use sspi_core::{PackageInfo, SecPkgFlags};

/// How tokens and messages are told apart on a stream of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// The package does it itself: its tokens and messages are the stream (Schannel).
    #[default]
    Stream,
    /// The frames of the .NET NegotiateStream protocol, for packages that have none of their own (NTLM, Kerberos,
    /// Negotiate, and whatever else exchanges tokens).
    ///
    /// Each token of the handshake is a frame of its own, each end says when it is done, and an end that gives up says with
    /// which status. Afterwards each message is a frame.
    ///
    /// Spec: MS-NNS section 2.2.
    Nns,
    /// Whichever of the two the connection begins with, for a package that is both: Negotiate with Schannel among its packages.
    ///
    /// A frame begins with `14`, `15` or `16` and the version `01`; a record of SSL 3.0 or TLS with `14` to `17` and `03`; a hello of
    /// SSL 2.0 or PCT has a third byte, or a third and fourth, that no frame of such a length has. What is a token of GSS-API
    /// or NTLM, without a frame around it, is refused: nobody could say where it ends.
    Detected,
}

impl Framing {
    /// The framing that fits the package: [`Stream`](Self::Stream) for those that have the capability `STREAM`,
    /// [`Detected`](Self::Detected) for those that have `GSS_COMPATIBLE` as well, and [`Nns`](Self::Nns) for all others.
    #[must_use]
    pub fn of(package: &PackageInfo) -> Self {
        match package.capabilities {
            both if both.is_stream() && both.contains(SecPkgFlags::GSS_COMPATIBLE) => Self::Detected,
            stream if stream.is_stream() => Self::Stream,
            _ => Self::Nns,
        }
    }
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    /// A frame of NegotiateStream.
    Frame,
    /// A token of GSS-API or NTLM, without one.
    Token,
    /// Anything else: a stream.
    Stream,
}

impl Begins {
    /// What these bytes begin with. A token is one whole; of a stream there may be little yet.
    ///
    /// # Errors
    /// It cannot be said yet: so many bytes are missing at least.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, usize> {
        const NTLMSSP: &[u8] = b"NTLMSSP\0";
        Ok(match bytes {
            [0x14..=0x16, 1, ..] => Self::Frame,
            [] | [0x14..=0x16] => return Err(1),
            // SPNEGO writes its tokens with the frame of GSS-API, or without: no hello is as long as one of SSL 2.0 would have to
            // be that begins so.
            [0x60 | 0xa0 | 0xa1, ..] => Self::Token,
            bytes if bytes.starts_with(NTLMSSP) => Self::Token,
            bytes if NTLMSSP.starts_with(bytes) => return Err(NTLMSSP.len() - bytes.len()),
            _ => Self::Stream,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_tokens_and_streams_begin_with_bytes_of_their_own() {
        for (bytes, expected) in [
            (&[0x16, 1, 0, 0, 40][..], Begins::Frame),
            (&[0x15, 1, 0, 0, 8], Begins::Frame),
            (&[0x14, 1, 0, 0, 0], Begins::Frame),
            (&[0x16, 3, 1, 2, 0], Begins::Stream),
            (&[0x16, 3, 0], Begins::Stream),
            (&[0x15, 3, 1, 0, 2], Begins::Stream),
            (&[0x17, 1], Begins::Stream),
            // CLIENT-HELLO of SSL 2.0 and of PCT, with headers of two and of three bytes.
            (&[0x80, 0x2e, 1, 0, 2], Begins::Stream),
            (&[0x80, 0x6a, 1, 0x80, 1], Begins::Stream),
            (&[0, 0x2e, 0, 1, 0, 2], Begins::Stream),
            (&[0x16, 0, 0, 1, 0, 2], Begins::Stream),
            (b"GET / HTTP/1.1\r\n", Begins::Stream),
            (b"NICK", Begins::Stream),
            (&[0x60, 0x48, 6, 6, 0x2b], Begins::Token),
            (&[0xa0, 0x82, 1, 0x2c, 0x30], Begins::Token),
            (b"NTLMSSP\0\x01\0\0\0", Begins::Token),
        ] {
            assert_eq!(Begins::of(bytes), Ok(expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn what_was_said_of_the_first_bytes_is_said_of_all_of_them() {
        for whole in
            [&[0x16, 1, 0, 0, 40][..], &[0x16, 3, 1, 2, 0], b"NTLMSSP\0\x01\0\0\0", b"NTLMS    ", b"GET /"]
        {
            let said: Vec<_> = (0..=whole.len()).map(|end| Begins::of(&whole[..end])).collect();
            let last = said.last().unwrap().unwrap();
            for (end, said) in said.iter().enumerate() {
                match said {
                    Ok(said) => assert_eq!(*said, last, "{end} of {whole:02x?}"),
                    Err(missing) => {
                        assert!((1..=whole.len() - end).contains(missing), "{end} of {whole:02x?}")
                    }
                }
            }
        }
    }
}
