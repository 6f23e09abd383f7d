//! Other implementations of NTLM, in `peers/ntlm_peer.py`: one end of a handshake, driven token by token.

use super::process::{Launch, Stdout};
use super::{PeerError, Process, argument, find_program, installed, note};

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
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pyspnego, Self::Gssapi, Self::Impacket, Self::Samba];

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

    /// The Python that has it.
    ///
    /// # Errors
    /// What is missing, and what brings it.
    pub fn python(self) -> Result<String, String> {
        match self {
            Self::Pyspnego | Self::Impacket => Ok(argument(&installed("ntlm")?.join("bin/python"))),
            Self::Gssapi => {
                let mechanism = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
                    .iter()
                    .map(|triplet| format!("/usr/lib/{triplet}/gssntlmssp/gssntlmssp.so"))
                    .find(|file| std::path::Path::new(file).is_file());
                let module = std::path::Path::new("/usr/lib/python3/dist-packages/gssapi").is_dir();
                let has_both = mechanism.is_some() && module;
                let missing =
                    "gss-ntlmssp or Debian's gssapi is missing (apt-get install gss-ntlmssp python3-gssapi)";
                if has_both { Ok("/usr/bin/python3".to_owned()) } else { Err(missing.to_owned()) }
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
    /// What comes from PyPI is missing, and the environment says `OPENSSPI_PEERS=required`, as CI does.
    #[must_use]
    pub fn runnable(self) -> bool {
        let Err(missing) = self.python() else { return true };
        let is_optional = matches!(self, Self::Gssapi | Self::Samba);
        if is_optional {
            note(&format!("not run: {missing}"));
        } else if let Err(reason) = super::judge(vec![missing]) {
            note(&reason);
        }
        false
    }

    /// Starts an end.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(self, end: End<'_>) -> Result<NtlmPeer, PeerError> {
        self.launch(end, &[])
    }

    /// Starts an end that negotiates NTLM, in tokens of SPNEGO: pyspnego or gss-ntlmssp.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start_negotiating(self, end: End<'_>) -> Result<NtlmPeer, PeerError> {
        self.launch(end, &["--negotiate"])
    }

    fn launch(self, end: End<'_>, more: &[&str]) -> Result<NtlmPeer, PeerError> {
        let mut launch = Launch::new(&self.python().map_err(PeerError::new)?, Stdout::Data);
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/ntlm_peer.py");
        let role = if end.is_client { "client" } else { "server" };
        launch.arguments(["-B", program, self.name(), role, "--user", end.user, "--domain", end.domain]);
        launch.arguments(["--password", end.password, "--target", end.target]);
        launch.arguments(["--bindings", &hex(end.bindings)]);
        launch.arguments(more.iter().copied());
        let mut process = launch.start()?;
        match process.read_line()?.as_deref().map(str::trim) {
            Some("ready") => Ok(NtlmPeer { process }),
            _ => Err(process.error("it did not start")),
        }
    }
}

/// One end of a handshake.
#[derive(Debug)]
pub struct NtlmPeer {
    process: Process,
}

impl NtlmPeer {
    fn ask(&mut self, command: &str, arguments: &[&[u8]]) -> Result<(String, String), PeerError> {
        let mut line = command.to_owned();
        for argument in arguments {
            line += &format!(" {}", hex(argument));
        }
        self.process.send(format!("{line}\n").as_bytes())?;
        let answer = self.process.read_line()?.ok_or_else(|| self.process.error("it ended"))?;
        let (kind, rest) = answer.trim_end_matches('\n').split_once(' ').unwrap_or((&answer, ""));
        if kind == "error" { Err(PeerError::new(rest)) } else { Ok((kind.to_owned(), rest.to_owned())) }
    }

    fn data(&mut self, command: &str, arguments: &[&[u8]]) -> Result<Vec<u8>, PeerError> {
        let (_, rest) = self.ask(command, arguments)?;
        Ok(test_support::hex::decode(&rest))
    }

    /// Takes a token, an empty one for the first of a client; whether it is done, and what it says.
    ///
    /// # Errors
    /// It refuses.
    pub fn step(&mut self, token: &[u8]) -> Result<(bool, Vec<u8>), PeerError> {
        let (_, rest) = self.ask("step", &[token])?;
        let (done, token) = rest.split_once(' ').unwrap_or((&rest, ""));
        Ok((done == "1", test_support::hex::decode(token)))
    }

    /// Signs and encrypts: the signature and the ciphertext.
    ///
    /// # Errors
    /// It refuses.
    pub fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, PeerError> {
        self.data("wrap", &[message])
    }

    /// Decrypts what it is given with its signature in front.
    ///
    /// # Errors
    /// The signature is another one.
    pub fn unwrap(&mut self, message: &[u8]) -> Result<Vec<u8>, PeerError> {
        self.data("unwrap", &[message])
    }

    /// A signature.
    ///
    /// # Errors
    /// It refuses.
    pub fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, PeerError> {
        self.data("sign", &[message])
    }

    /// Compares a signature.
    ///
    /// # Errors
    /// It is another one.
    pub fn verify(&mut self, message: &[u8], signature: &[u8]) -> Result<(), PeerError> {
        self.data("verify", &[message, signature]).map(drop)
    }

    /// The session key.
    ///
    /// # Errors
    /// There is none.
    pub fn session_key(&mut self) -> Result<Vec<u8>, PeerError> {
        self.data("key", &[])
    }

    /// Who the other end is.
    ///
    /// # Errors
    /// It does not know.
    pub fn peer(&mut self) -> Result<String, PeerError> {
        self.ask("peer", &[]).map(|(_, name)| name)
    }
}

fn hex(bytes: &[u8]) -> String {
    test_support::hex::encode(bytes)
}
