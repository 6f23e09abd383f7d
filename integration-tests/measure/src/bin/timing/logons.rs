//! Logons that are refused: whether time tells which accounts there are, or how much of a wrong proof is right.
//!
//! A server has sent its challenge and gets the answer: what is timed is from there to the refusal, with the file of accounts
//! that it asks in between.

use std::hint::black_box;
use std::sync::Arc;

use opensspi::sspi_core::{
    AcceptRequest, AcceptSecurityContext, AuthData, CredentialUse, CredentialsHandle, CredentialsRequest,
    Failure as Refused, HttpRequest, InitializeRequest, LogonVerdict, Question, SecStatus, Step,
};
use opensspi::sspi_tokio::blocking::Answers as _;
use opensspi::{Config, FileLogons, Sspi};
use opensspi_measure::sampling::{POOL, Subject, from_pool};
use tempfile::TempDir;

use crate::accounts::{self, Form, Whose};
use crate::engine::Failure;

/// What is spoken, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// NTLM of version 2.
    Ntlm,
    /// Digest of HTTP, with SHA-256.
    Http,
    /// The same, the names hashed.
    HttpHashed,
    /// Digest of SASL, with MD5.
    Sasl,
}

impl Spoken {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ntlm => "NTLM",
            Self::Http => "Digest, HTTP",
            Self::HttpHashed => "Digest, HTTP, names hashed",
            Self::Sasl => "Digest, SASL",
        }
    }

    /// Both ends'. Nobody is locked out, however often.
    fn config(self) -> String {
        let (package, section, settings) = match self {
            Self::Ntlm => ("NTLM", "ntlm", "reflection = \"allow\"".to_owned()),
            Self::Http | Self::Sasl => ("Digest", "digest", Self::digest(false)),
            Self::HttpHashed => ("Digest", "digest", Self::digest(true)),
        };
        format!(
            "package = \"{package}\"\n[{section}]\n{settings}\n[{section}.lock-out]\nfailures = {}\nfailures-of-source = {}\n",
            u32::MAX,
            u32::MAX,
        )
    }

    fn digest(userhash: bool) -> String {
        let realm = accounts::REALM;
        format!("realm = \"{realm}\"\nuserhash = {userhash}\nservices = [\"*\"]")
    }

    /// The length of a proof, in bytes or digits.
    const fn proof_len(self) -> usize {
        match self {
            Self::Ntlm => 16,
            Self::Http | Self::HttpHashed => 64,
            Self::Sasl => 32,
        }
    }

    fn http(self) -> Option<HttpRequest> {
        matches!(self, Self::Http | Self::HttpHashed).then(|| HttpRequest::new("GET", "/"))
    }
}

/// Where a proof is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    First,
    Last,
    Everywhere,
}

impl Wrong {
    /// What is changed in a proof of this length, in bits.
    fn changes(self, length: usize) -> Vec<u8> {
        let is_wrong = |at: usize| match self {
            Self::First => at == 0,
            Self::Last => at + 1 == length,
            Self::Everywhere => true,
        };
        (0..length).map(|at| u8::from(is_wrong(at))).collect()
    }
}

/// A class of inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    name: &'static str,
    whose: Whose,
    form: Form,
    wrong: Wrong,
}

const fn class(name: &'static str, whose: Whose, form: Form, wrong: Wrong) -> Class {
    Class { name, whose, form, wrong }
}

const NOBODYS: Class = class("of nobody", Whose::Nobodys, Form::Name, Wrong::Everywhere);
const FIRST: Class = class("at the beginning of the file", Whose::First, Form::Name, Wrong::Everywhere);
const MIDDLE: Class = class("in the middle of the file", Whose::Middle, Form::Name, Wrong::Everywhere);
const LAST: Class = class("at the end of the file", Whose::Last, Form::Name, Wrong::Everywhere);
const DISABLED: Class = class("disabled", Whose::Disabled, Form::Name, Wrong::Everywhere);
const WITHOUT_DIGEST: Class =
    class("without a secret of Digest", Whose::WithoutDigest, Form::Name, Wrong::Everywhere);

/// By principal names.
const NOBODYS_PRINCIPAL: Class = class("of nobody", Whose::Nobodys, Form::Principal, Wrong::Everywhere);
const PRINCIPAL: Class = class("a principal name", Whose::First, Form::Principal, Wrong::Everywhere);
const OTHER_PRINCIPAL: Class =
    class("a principal name of another word", Whose::OfAnotherName, Form::Principal, Wrong::Everywhere);

/// How wrong the proof is.
const PROOFS: &[Class] = &[
    class("wrong everywhere", Whose::Middle, Form::Name, Wrong::Everywhere),
    class("wrong in its first byte", Whose::Middle, Form::Name, Wrong::First),
    class("wrong in its last byte", Whose::Middle, Form::Name, Wrong::Last),
];

/// What is measured. Two classes each where one is of nobody: a processor guesses what comes, by what came before, and is right more
/// often about whatever there is more of.
pub(crate) const SUBJECTS: [(Spoken, &str, &[Class]); 22] = [
    (Spoken::Ntlm, "account", &[NOBODYS, FIRST]),
    (Spoken::Ntlm, "account", &[NOBODYS, MIDDLE]),
    (Spoken::Ntlm, "account", &[NOBODYS, LAST]),
    (Spoken::Ntlm, "account", &[NOBODYS, DISABLED]),
    (Spoken::Ntlm, "account", &[NOBODYS_PRINCIPAL, PRINCIPAL]),
    (Spoken::Ntlm, "account", &[NOBODYS_PRINCIPAL, OTHER_PRINCIPAL]),
    (Spoken::Ntlm, "proof", PROOFS),
    (Spoken::Http, "account", &[NOBODYS, FIRST]),
    (Spoken::Http, "account", &[NOBODYS, MIDDLE]),
    (Spoken::Http, "account", &[NOBODYS, LAST]),
    (Spoken::Http, "account", &[NOBODYS, DISABLED]),
    (Spoken::Http, "account", &[NOBODYS, WITHOUT_DIGEST]),
    (Spoken::HttpHashed, "account", &[NOBODYS, FIRST]),
    (Spoken::HttpHashed, "account", &[NOBODYS, MIDDLE]),
    (Spoken::HttpHashed, "account", &[NOBODYS, LAST]),
    (Spoken::Http, "proof", PROOFS),
    (Spoken::Sasl, "account", &[NOBODYS, FIRST]),
    (Spoken::Sasl, "account", &[NOBODYS, MIDDLE]),
    (Spoken::Sasl, "account", &[NOBODYS, LAST]),
    (Spoken::Sasl, "account", &[NOBODYS, DISABLED]),
    (Spoken::Sasl, "account", &[NOBODYS, WITHOUT_DIGEST]),
    (Spoken::Sasl, "proof", PROOFS),
];

/// The difference, in nanoseconds, that does not tell whether there is an account: an attacker's attempts are counted in hundreds,
/// since lock-out ends them, and what is measured of one over a network is off by thousands. Some of it is the processor's, which
/// guesses which way the code goes. How much of a proof is right must be told by nothing.
const OF_ACCOUNTS: f64 = 100.0;

/// The difference between these classes that is nothing that anybody could make use of.
pub(crate) fn tolerated(classes: &[Class]) -> f64 {
    if classes.iter().any(|class| class.whose == Whose::Nobodys) { OF_ACCOUNTS } else { 0.0 }
}

/// What the harness does wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Where there is no account, nothing is computed.
    RefusesAtOnce,
    /// Accounts are looked at one after the other.
    LooksAtAll,
}

impl Mistake {
    const fn classes(self) -> &'static [Class] {
        match self {
            Self::RefusesAtOnce => &[NOBODYS, FIRST],
            Self::LooksAtAll => &[FIRST, LAST],
        }
    }
}

impl Whose {
    /// Whether there are such accounts, for whoever proves that he has one.
    fn is_let_in(self, spoken: Spoken) -> bool {
        match self {
            Self::Nobodys | Self::Disabled => false,
            Self::First | Self::Middle | Self::Last => true,
            Self::WithoutDigest | Self::OfAnotherName => spoken == Spoken::Ntlm,
        }
    }
}

type Credential = Arc<dyn CredentialsHandle>;

/// A server that refuses logons.
pub(crate) struct Refusing {
    spoken: Spoken,
    classes: &'static [Class],
    mistake: Option<Mistake>,
    accounts: FileLogons,
    /// What is looked at one after the other.
    names: Vec<String>,
    server: Credential,
    clients: Vec<Vec<Credential>>,
    /// What is wrong with the proofs of each class.
    changes: Vec<Vec<u8>>,
    /// It has sent its challenge.
    waiting: Option<Box<dyn AcceptSecurityContext>>,
    answer: Vec<u8>,
    /// The file is in it.
    _folder: TempDir,
}

impl Refusing {
    pub(crate) fn new(spoken: Spoken, classes: &'static [Class]) -> Result<Self, Failure> {
        Self::with(spoken, classes, None)
    }

    pub(crate) fn leaky(mistake: Mistake) -> Result<Self, Failure> {
        Self::with(Spoken::Ntlm, mistake.classes(), Some(mistake))
    }

    fn with(spoken: Spoken, classes: &'static [Class], mistake: Option<Mistake>) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let accounts = accounts::file(&folder.path().join("logons.toml"))?;
        let config = Config::from_toml(&spoken.config(), "timing.toml")?;
        let sspi = Sspi::builder().config(config).build()?;
        let clients: Result<Vec<Vec<Credential>>, Failure> =
            classes.iter().map(|class| clients(&sspi, *class, spoken)).collect();
        let server = sspi.acquire(CredentialUse::Inbound)?;
        let names = (0..accounts::COUNT).map(accounts::name).collect();
        let mut refusing = Self {
            spoken,
            classes,
            mistake,
            accounts,
            names,
            server,
            clients: clients?,
            changes: classes.iter().map(|class| class.wrong.changes(spoken.proof_len())).collect(),
            waiting: None,
            answer: Vec::new(),
            _folder: folder,
        };
        refusing.check()?;
        Ok(refusing)
    }

    /// All are refused for the same reason, and whose account there is is let in with the right proof.
    fn check(&mut self) -> Result<(), Failure> {
        let spoken = self.spoken;
        for (number, class) in self.classes.iter().enumerate() {
            let told = |what| Failure::from(format!("{}, {}: {what:?}", spoken.name(), class.name));
            self.make(number, 0)?;
            self.spoil(number)?;
            match self.judged() {
                Some(Err(refused)) if refused.error.status() == SecStatus::SEC_E_LOGON_DENIED => {}
                None if self.mistake == Some(Mistake::RefusesAtOnce) => {}
                other => return Err(told(other)),
            }
            self.make(number, 0)?;
            let judged = self.judged();
            if matches!(judged, Some(Ok(Step::Complete { .. }))) != class.whose.is_let_in(spoken) {
                return Err(told(judged));
            }
        }
        Ok(())
    }

    /// A server that has sent its challenge, and the right answer of a client of this class.
    fn make(&mut self, class: usize, lot: usize) -> Result<(), Failure> {
        let client = from_pool(&self.clients, class, lot).ok_or("no client")?;
        let request = InitializeRequest {
            target_name: (self.spoken != Spoken::Ntlm).then(|| "http/server".to_owned()),
            http: self.spoken.http(),
            ..InitializeRequest::default()
        };
        let accepting = AcceptRequest {
            http: self.spoken.http(),
            source: Some("192.0.2.1".to_owned()),
            ..AcceptRequest::default()
        };
        let (mut client, mut server) = (client.initialize(&request)?, self.server.accept(&accepting)?);
        let first = match self.spoken {
            Spoken::Ntlm => token(client.initialize_security_context(&[]))?,
            _ => Vec::new(),
        };
        let challenge = token(server.accept_security_context(&first))?;
        self.answer = token(client.initialize_security_context(&challenge))?;
        self.waiting = Some(server);
        Ok(())
    }

    /// Makes its proof wrong.
    fn spoil(&mut self, class: usize) -> Result<(), Failure> {
        let proof = match self.spoken {
            Spoken::Ntlm => of_ntlm(&mut self.answer),
            _ => of_digest(&mut self.answer),
        };
        let proof = proof.filter(|proof| proof.len() == self.spoken.proof_len());
        let changes = self.changes.get(class).map_or(&[][..], Vec::as_slice);
        spoil(proof.ok_or("no proof is in the answer")?, changes, self.spoken != Spoken::Ntlm);
        Ok(())
    }

    /// What becomes of the answer.
    fn judged(&mut self) -> Option<Result<Step, Refused>> {
        let server = self.waiting.as_mut()?;
        let step = match server.accept_security_context(&self.answer) {
            Ok(step) => step,
            Err(refused) => return Some(Err(refused)),
        };
        match step {
            Step::Ask(Question::Logon(ask)) => {
                if self.mistake == Some(Mistake::LooksAtAll) {
                    black_box(self.names.iter().position(|name| *name == ask.question().user));
                }
                let verdict = self.accounts.logon(ask.question());
                let is_nobody = matches!(verdict, Ok(LogonVerdict::NoAccount));
                if self.mistake == Some(Mistake::RefusesAtOnce) && is_nobody {
                    return None;
                }
                ask.answer(verdict);
            }
            Step::Ask(Question::DigestSecret(ask)) => {
                let found = self.accounts.digest_secret(ask.question());
                ask.answer(found);
            }
            step => return Some(Ok(step)),
        }
        Some(server.accept_security_context(&self.answer))
    }
}

/// One for each of the accounts of a class.
fn clients(sspi: &Sspi, class: Class, spoken: Spoken) -> Result<Vec<Credential>, Failure> {
    let client = |lot| {
        let mut identity = class.whose.identity(class.form, lot);
        if spoken != Spoken::Ntlm {
            // Digest has realms in their place.
            identity.domain.clear();
        }
        let auth_data = AuthData::Identity(identity);
        let request =
            CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
        Ok(sspi.package().acquire_credentials_handle(&request)?)
    };
    (0..POOL).map(client).collect()
}

fn token(step: Result<Step, Refused>) -> Result<Vec<u8>, Failure> {
    match step.map_err(|refused| refused.error)? {
        Step::Continue { token, .. } | Step::Complete { token, .. } => Ok(token),
        step => Err(format!("{step:?} where there should be a token").into()),
    }
}

/// The proof in AUTHENTICATE. Spec: MS-NLMP sections 2.2.1.3 and 2.2.2.8.
fn of_ntlm(message: &mut [u8]) -> Option<&mut [u8]> {
    let offset = u32::from_le_bytes(*message.get(24..)?.first_chunk()?);
    message.get_mut(usize::try_from(offset).ok()?..)?.get_mut(..16)
}

/// The digits behind `response=`.
fn of_digest(message: &mut [u8]) -> Option<&mut [u8]> {
    const NAME: &[u8] = b"response=";
    let at = message.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let rest = message.get_mut(at..)?;
    let quote = usize::from(rest.first() == Some(&b'"'));
    let length = rest.iter().skip(quote).take_while(|byte| byte.is_ascii_hexdigit()).count();
    rest.get_mut(quote..quote + length)
}

/// Makes a proof wrong, which has bytes, or digits. All that depends on where is in `changes`: the processor would remember another
/// way through the code.
fn spoil(proof: &mut [u8], changes: &[u8], has_digits: bool) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, change) in proof.iter_mut().zip(changes) {
        *byte = if has_digits {
            let value = (*byte & 0xf).wrapping_add(9 * (*byte >> 6)) ^ change;
            DIGITS.get(usize::from(value & 0xf)).copied().unwrap_or_default()
        } else {
            *byte ^ change
        };
    }
}

impl Subject for Refusing {
    fn classes(&self) -> Vec<&'static str> {
        self.classes.iter().map(|class| class.name).collect()
    }

    fn prepare(&mut self, class: usize, lot: usize) {
        // It was done once for every class before.
        drop(self.make(class, lot).and_then(|()| self.spoil(class)));
    }

    fn run(&mut self) {
        drop(black_box(self.judged()));
    }
}
