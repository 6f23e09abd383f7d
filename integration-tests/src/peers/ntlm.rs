//! Other implementations of NTLM, in `peers/ntlm_peer.py`: one end of a handshake, driven token by token.

use test_support::hex;

use super::driven::Driven;
use super::process::{Launch, Stdout};
use super::{PeerError, argument, find_program, installed};

/// An implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// pyspnego's own NTLM.
    Pyspnego,
    /// gss-ntlmssp, through MIT's GSSAPI.
    Gssapi,
    /// impacket.
    Impacket,
    /// Samba's `ntlm_auth`, which has keys and no messages.
    Samba,
}

/// What one end is asked to be.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Whether it initiates.
    pub is_client: bool,
    /// The user, as whom it logs on or whom it knows.
    pub user: &'a str,
    /// The user's domain.
    pub domain: &'a str,
    /// The user's password.
    pub password: &'a str,
    /// The service principal name that a client wants to talk to, or that a server has.
    pub target: &'a str,
    /// The application data of channel bindings; may be empty.
    pub bindings: &'a [u8],
    /// Whether it asks for encryption.
    pub is_sealed: bool,
    /// The `LmCompatibilityLevel`, where it is another one than its own.
    pub level: Option<u8>,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pyspnego, Self::Gssapi, Self::Impacket, Self::Samba];

    /// Those that negotiate it, too.
    pub const NEGOTIATING: [Self; 3] = [Self::Pyspnego, Self::Gssapi, Self::Samba];

    /// The name in the program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pyspnego => "pyspnego",
            Self::Gssapi => "gssapi",
            Self::Impacket => "impacket",
            Self::Samba => "samba",
        }
    }

    /// Whether it signs and seals messages.
    #[must_use]
    pub const fn has_messages(self) -> bool {
        !matches!(self, Self::Samba)
    }

    /// Whether it can be told of a channel.
    #[must_use]
    pub const fn has_bindings(self) -> bool {
        !matches!(self, Self::Samba)
    }

    /// The Python that has it.
    ///
    /// # Errors
    /// What is missing, and what brings it.
    pub fn python(self) -> Result<String, String> {
        match self {
            Self::Pyspnego | Self::Impacket => Ok(argument(&installed("ntlm")?.join("bin/python"))),
            Self::Gssapi => {
                super::gss::available()?;
                let module = std::path::Path::new("/usr/lib/python3/dist-packages/gssapi").is_dir();
                let missing = "Debian's gssapi is missing (apt-get install python3-gssapi)";
                if module { Ok("/usr/bin/python3".to_owned()) } else { Err(missing.to_owned()) }
            }
            Self::Samba => match find_program("ntlm_auth") {
                Some(_) => Ok("python3".to_owned()),
                None => Err("ntlm_auth is not in PATH (Debian: apt-get install winbind)".to_owned()),
            },
        }
    }

    /// Whether a test can run that needs it; says why not.
    ///
    /// # Panics
    /// It is missing, and the environment says `OPENSSPI_PEERS=required`, as CI does.
    #[must_use]
    pub fn runnable(self) -> bool {
        super::runnable_with(self.python().map(drop))
    }

    /// Starts an end.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(self, end: End<'_>) -> Result<Driven, PeerError> {
        self.launch(end, &[])
    }

    /// Starts an end that negotiates NTLM, in tokens of SPNEGO: one of [`Self::NEGOTIATING`].
    ///
    /// # Errors
    /// It could not be started.
    pub fn start_negotiating(self, end: End<'_>) -> Result<Driven, PeerError> {
        self.launch(end, &["--negotiate"])
    }

    fn launch(self, end: End<'_>, more: &[&str]) -> Result<Driven, PeerError> {
        let mut launch = Launch::new(&self.python().map_err(PeerError::new)?, Stdout::Data);
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/ntlm_peer.py");
        let role = if end.is_client { "client" } else { "server" };
        launch.arguments(["-B", program, self.name(), role, "--user", end.user, "--domain", end.domain]);
        launch.arguments(["--password", end.password, "--target", end.target]);
        launch.arguments(["--bindings", &hex::encode(end.bindings)]);
        launch.arguments((!end.is_sealed).then_some("--signed"));
        if let Some(level) = end.level {
            launch.arguments(["--level", &level.to_string()]);
        }
        launch.arguments(more.iter().copied());
        // gss-ntlmssp compares names in the language of its surroundings.
        launch.variables([("LC_ALL", "C.UTF-8")]);
        Driven::start(&launch)
    }
}
