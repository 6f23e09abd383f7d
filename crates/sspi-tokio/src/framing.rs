//! How tokens and messages are told apart on a stream of bytes.

use sspi_core::PackageInfo;

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
}

impl Framing {
    /// The framing that fits the package: [`Stream`](Self::Stream) for those that have the capability `STREAM`,
    /// [`Nns`](Self::Nns) for all others.
    #[must_use]
    pub fn of(package: &PackageInfo) -> Self {
        if package.capabilities.is_stream() { Self::Stream } else { Self::Nns }
    }
}
