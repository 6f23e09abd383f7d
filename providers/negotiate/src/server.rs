//! A handshake as server.
//!
//! ```text
//! Begin ── an offer ──▶ Running ── tokens ──▶ complete
//!   │                      └── the mechanism's last token is ours ──▶ Proving ── the client's MIC ──▶ complete
//!   ├── a token of a mechanism, without SPNEGO ──▶ Raw ── tokens ──▶ complete
//!   └── no token at all: the first bytes of a stream ──▶ Raw ── whatever the package says ──▶ complete
//! ```
//!
//! Spec: SPNEGO sections 3.2 and 5; MS-SPNG section 3.3.

use core::ops::Range;
use std::sync::Arc;

use gss::{
    DecodeError, InitialContextToken, MechType, MechTypeList, NegHints, NegState, NegTokenInit, NegTokenResp,
    NegotiationToken,
};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AscReq, Failure, LogonRequest, Question, SecurityContext, Step,
};

use crate::config::{NtlmPolicy, RawPolicy};
use crate::context::{record, record_refused, record_token};
use crate::list_mic;
use crate::mech_list::{Choice, Chosen, Mechanism, choose, names};
use crate::status::Error;

/// A handshake as server.
pub(crate) struct Server {
    choice: Arc<Choice>,
    request: AcceptRequest,
    state: State,
    /// As whom the client tries to log on with NTLM, where that is recorded.
    claimed: Option<Box<str>>,
}

enum State {
    /// Nothing was heard.
    Begin,
    /// A mechanism runs in tokens of SPNEGO.
    Running(Running),
    /// The mechanism is done, and the client's MIC is awaited.
    Proving(Proving),
    /// A mechanism runs in its own tokens, or the package for streams in its own bytes.
    Raw { inner: Box<dyn AcceptSecurityContext>, by: By },
    /// It has failed; why.
    Over(sspi_core::Error),
    /// It is complete.
    Complete,
}

/// Who runs without a negotiation.
#[derive(Clone, Copy)]
enum By {
    Mechanism(usize),
    Stream,
}

/// The negotiation so far.
struct Negotiation {
    /// What was offered, as it came.
    list: Box<[u8]>,
    index: usize,
    /// Where in the list the name is under which it was offered.
    offered_as: Range<usize>,
    /// The choice is still to be said.
    is_first: bool,
    /// Somebody could have forced the choice: the list must be signed.
    needs_mic: bool,
    /// A token of the mechanism was taken.
    has_begun: bool,
}

struct Running {
    negotiation: Negotiation,
    inner: Box<dyn AcceptSecurityContext>,
    asked: Option<Asked>,
}

/// The call that stopped with a question: where in its input what is. The same input comes again.
struct Asked {
    len: usize,
    token: Range<usize>,
    mic: Option<Range<usize>>,
}

impl Asked {
    fn of(Call { input, token, mic }: Call<'_>) -> Self {
        Self { len: input.len(), token: place(token, input), mic: mic.map(|mic| place(mic, input)) }
    }

    fn again<'a>(&self, input: &'a [u8]) -> Option<Call<'a>> {
        let input = input.get(..self.len)?;
        let mic = self.mic.clone().map(|mic| input.get(mic).unwrap_or_default());
        Some(Call { input, token: input.get(self.token.clone())?, mic })
    }
}

/// Where in `whole` a part of it lies.
fn place(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    // A part that is empty may lie anywhere.
    if part.is_empty() { 0..0 } else { start..start.saturating_add(part.len()) }
}

struct Proving {
    negotiation: Negotiation,
    context: Box<dyn SecurityContext>,
}

/// What the mechanism is called with, and what came beside it.
#[derive(Clone, Copy)]
struct Call<'a> {
    /// The whole input.
    input: &'a [u8],
    token: &'a [u8],
    mic: Option<&'a [u8]>,
}

/// An error, and what the mechanism still has to say to the client.
struct Failed {
    error: Error,
    token: Vec<u8>,
    /// The client does not speak SPNEGO.
    is_raw: bool,
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), token: Vec::new(), is_raw: false }
    }
}

impl AcceptSecurityContext for Server {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        let step = match &self.state {
            State::Complete => {
                return Err(sspi_core::Error::invalid_handle("the handshake is complete").into());
            }
            State::Over(error) => return Err(error.clone().into()),
            State::Begin if input.is_empty() => Ok(self.hints()),
            State::Begin => self.begin(input),
            State::Running(_) => self.go_on(input),
            State::Proving(_) if input.is_empty() => Ok(Step::Incomplete { missing: None }),
            State::Proving(_) => self.prove(input),
            State::Raw { .. } => self.raw(input),
        };
        match step {
            Ok(step) => {
                if self.choice.ntlm == NtlmPolicy::Audit {
                    self.hear(&step);
                }
                Ok(step)
            }
            Err(failed) => Err(self.fail(failed)),
        }
    }
}

impl Server {
    pub(crate) fn begun(choice: Arc<Choice>, request: &AcceptRequest) -> Box<dyn AcceptSecurityContext> {
        // It is written where it stays.
        let mut server =
            Box::new(Self { choice, request: request.clone(), state: State::Begin, claimed: None });
        server.request.negotiated = true;
        server
    }

    /// A question says as whom somebody logs on.
    fn hear(&mut self, step: &Step) {
        let Step::Ask(Question::Logon(ask)) = step else { return };
        let LogonRequest { package, user, domain, .. } = ask.question();
        let is_ntlm = |own: &Mechanism| own.is_ntlm() && own.name() == package;
        if self.choice.mechanisms.iter().any(is_ntlm) {
            self.claimed = Some(format!("{domain}\\{user}").into());
        }
    }

    fn wants_stream(&self) -> bool {
        self.request.flags.contains(AscReq::STREAM)
    }

    /// The package for streams, where the caller wants one.
    fn stream_package(&self) -> Option<Result<&Mechanism, Error>> {
        let stream = self.choice.stream.as_ref().filter(|_| self.wants_stream())?;
        Some(stream.package.as_ref().map_err(|error| Error::Mechanism(error.clone())))
    }

    fn fail(&mut self, Failed { error, token, is_raw }: Failed) -> Failure {
        let is_reported = matches!(&error, Error::Rejected { .. });
        let error = sspi_core::Error::from(error);
        self.state = State::Over(error.clone());
        if let Some(user) = self.claimed.take() {
            record_refused(&user, self.source(), &error);
        }
        let says_so = self.request.flags.contains(AscReq::EXTENDED_ERROR) && !is_reported;
        if is_raw || !says_so {
            return Failure { error, token: if is_raw { token } else { Vec::new() } };
        }
        let reject = NegTokenResp {
            neg_state: Some(NegState::Reject),
            response_token: Some(&token[..]).filter(|token| !token.is_empty()),
            ..NegTokenResp::default()
        };
        Failure { error, token: reject.to_bytes() }
    }

    fn accept(&self, index: usize) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        self.choice.mechanism(index)?.credentials.accept(&self.request).map_err(Error::Mechanism)
    }

    /// A server that speaks first says what it has.
    ///
    /// Spec: MS-SPNG section 3.3.5.1.
    fn hints(&self) -> Step {
        let Some(list) = &self.choice.offer else {
            // There is nothing to be said before a stream has begun.
            return Step::Incomplete { missing: Some(1) };
        };
        let hints = NegHints { name: Some(NegHints::NAME), address: None };
        let token = NegTokenInit { hints: Some(hints), ..NegTokenInit::new(list.by_ref()) }.to_bytes();
        Step::Continue { token, used: 0 }
    }

    /// The client's first token: an offer, or one of a mechanism that speaks for itself.
    fn begin(&mut self, input: &[u8]) -> Result<Step, Failed> {
        let init = match NegotiationToken::decode(input) {
            Ok(NegotiationToken::Init(init)) => init,
            Ok(NegotiationToken::Resp(_)) => {
                return Err(Error::Unexpected("the client answers what was not offered").into());
            }
            Err(error) => return self.begin_without(error, input),
        };
        let Some(Chosen { index, offered_as, is_favourite_of_client }) =
            choose(&self.choice.mechanisms, &init.mech_types)
        else {
            return Err(self.nothing_in_common(&names(init.mech_types.iter())).into());
        };
        let negotiation = Negotiation {
            list: init.mech_types.as_der().into(),
            index,
            offered_as: place(offered_as.content(), init.mech_types.as_der()),
            is_first: true,
            // With another list, this end would have chosen another one.
            needs_mic: !is_favourite_of_client || index != 0,
            has_begun: false,
        };
        self.state = State::Running(Running { negotiation, inner: self.accept(index)?, asked: None });
        let token = init.mech_token.filter(|token| is_favourite_of_client && !token.is_empty());
        match token {
            Some(token) => self.call(Call { input, token, mic: init.mech_list_mic }),
            None => self.ask_anew(input.len()),
        }
    }

    /// What is no token of SPNEGO, as `error` says: one of a mechanism, or the beginning of a stream.
    #[cold]
    fn begin_without(&mut self, error: DecodeError, input: &[u8]) -> Result<Step, Failed> {
        let is_raw = |error| Failed { is_raw: true, ..Failed::from(error) };
        if let Some(mechanism) = raw_mechanism(input) {
            let (inner, index) = self.begin_raw(mechanism).map_err(is_raw)?;
            self.state = State::Raw { inner, by: By::Mechanism(index) };
            return self.raw(input);
        }
        if NegotiationToken::is_one(input) {
            return Err(error.into());
        }
        if let Some(package) = self.stream_package() {
            if NTLMSSP.starts_with(input) {
                return Ok(Step::Incomplete { missing: Some(NTLMSSP.len().saturating_sub(input.len())) });
            }
            let inner = package.map_err(is_raw)?.credentials.accept(&self.request);
            let inner = inner.map_err(|error| is_raw(Error::Mechanism(error)))?;
            self.state = State::Raw { inner, by: By::Stream };
            return self.raw(input);
        }
        if self.choice.mechanisms.is_empty() {
            return Err(is_raw(Error::OnlyStreams { ours: self.choice.names() }));
        }
        if self.wants_stream() {
            return Err(is_raw(Error::NoStream { ours: self.choice.names() }));
        }
        Err(error.into())
    }

    /// A mechanism that speaks for itself: nobody can sign for the choice, so that it is one that this end would have made.
    fn begin_raw(&self, mechanism: MechType<'_>) -> Result<(Box<dyn AcceptSecurityContext>, usize), Error> {
        let found = self.choice.mechanisms.iter().position(|own| own.is(mechanism));
        let index = found.ok_or_else(|| self.nothing_in_common(&names([mechanism])))?;
        let own = self.choice.mechanism(index)?;
        let is_taken = match self.choice.raw {
            RawPolicy::Favourite => index == 0,
            RawPolicy::Allow => true,
            RawPolicy::Deny => false,
        };
        if !is_taken {
            return Err(Error::NotNegotiated { mechanism: own.name().to_owned() });
        }
        let inner = self.accept(index)?;
        record_token(own, self.choice.ntlm, TAKEN, self.source());
        Ok((inner, index))
    }

    /// Where the client is, as far as somebody says so.
    fn source(&self) -> &str {
        self.request.source.as_deref().unwrap_or_default()
    }

    fn nothing_in_common(&self, offered: &str) -> Error {
        let is_denied = self.choice.ntlm == NtlmPolicy::Deny && offered == "NTLM";
        let setting = if is_denied { "negotiate.ntlm" } else { "negotiate.packages" };
        Error::NothingInCommon { offered: offered.to_owned(), ours: self.choice.names(), setting }
    }

    /// What runs.
    fn running(&mut self) -> Result<&mut Running, Error> {
        match &mut self.state {
            State::Running(running) => Ok(running),
            _ => Err(NOTHING_RUNS),
        }
    }

    /// The choice, without a token: the client begins anew with that mechanism.
    fn ask_anew(&mut self, used: usize) -> Result<Step, Failed> {
        let token = self.running()?.negotiation.say(None, None);
        Ok(Step::Continue { token, used })
    }

    fn go_on(&mut self, input: &[u8]) -> Result<Step, Failed> {
        let call = match self.running()?.asked.take() {
            Some(asked) => asked.again(input).ok_or_else(|| {
                let what = "after a question the same input must come again";
                Error::Mechanism(sspi_core::Error::invalid_handle(what))
            })?,
            None if input.is_empty() => return Ok(Step::Incomplete { missing: None }),
            None => answer(input)?,
        };
        self.call(call)
    }

    fn call(&mut self, call: Call<'_>) -> Result<Step, Failed> {
        let used = call.input.len();
        let Self { choice, request, state, .. } = self;
        let State::Running(running) = state else { return Err(NOTHING_RUNS.into()) };
        if !core::mem::replace(&mut running.negotiation.has_begun, true) {
            let mechanism = choice.mechanism(running.negotiation.index)?;
            record_token(mechanism, choice.ntlm, TAKEN, request.source.as_deref().unwrap_or_default());
        }
        let step = running.inner.accept_security_context(call.token).map_err(|failure| Failed {
            error: Error::Mechanism(failure.error),
            token: failure.token,
            is_raw: false,
        })?;
        match step {
            Step::Ask(question) => {
                running.asked = Some(Asked::of(call));
                Ok(Step::Ask(question))
            }
            Step::Continue { token, used: inner } if inner == call.token.len() => {
                Ok(Step::Continue { token: running.negotiation.say(Some(&token), None), used })
            }
            Step::Complete { context, token, used: inner } if inner == call.token.len() => {
                self.complete(context, &token, call)
            }
            _ => Err(Error::Unexpected("the client's token is no whole token of the mechanism").into()),
        }
    }

    /// The mechanism is done: is the list proved, and must it be?
    ///
    /// Spec: SPNEGO section 5 (b) and (c).
    fn complete(
        &mut self,
        mut context: Box<dyn SecurityContext>,
        token: &[u8],
        call: Call<'_>,
    ) -> Result<Step, Failed> {
        let used = call.input.len();
        let State::Running(Running { mut negotiation, .. }) =
            core::mem::replace(&mut self.state, State::Complete)
        else {
            return Err(NOTHING_RUNS.into());
        };
        let can_sign = list_mic::can_sign(context.as_ref());
        let may_lack = !self.choice.mechanism(negotiation.index)?.can_sign();
        // What the mechanism wants of its own accord, where nobody could have forced the choice, is wanted if it can be had: that
        // the client wants no signatures is under the mechanism's own protection then.
        let needs_mic = list_mic::must_sign(can_sign, negotiation.needs_mic, may_lack)?
            || (can_sign && context.requires_list_mic());
        negotiation.needs_mic = needs_mic;
        let list = &negotiation.list;
        let ours = match call.mic {
            Some(mic) => {
                list_mic::check(context.as_mut(), list, mic)?;
                Some(list_mic::make(context.as_mut(), list)?)
            }
            // The client cannot have signed before it knew that it must, or before it has this token.
            None if needs_mic && (negotiation.is_first || !token.is_empty()) => {
                let ours = list_mic::make(context.as_mut(), list)?;
                let token = negotiation.say(Some(token), Some(&ours));
                self.state = State::Proving(Proving { negotiation, context });
                return Ok(Step::Continue { token, used });
            }
            None if needs_mic => return Err(Error::NoMic.into()),
            None => None,
        };
        let last = negotiation.done(token, ours.as_deref());
        self.hand_out(Proving { negotiation, context }, ours.is_some(), last, used)
    }

    /// The client's MIC, which this end has asked for.
    fn prove(&mut self, input: &[u8]) -> Result<Step, Failed> {
        let State::Proving(mut proving) = core::mem::replace(&mut self.state, State::Complete) else {
            return Err(Error::Internal("no MIC is awaited").into());
        };
        let call = answer(input)?;
        if !call.token.is_empty() {
            return Err(Error::Unexpected("the client goes on with a mechanism that is done").into());
        }
        let mic = call.mic.ok_or(Error::NoMic)?;
        list_mic::check(proving.context.as_mut(), &proving.negotiation.list, mic)?;
        self.hand_out(proving, true, Vec::new(), input.len())
    }

    fn hand_out(&self, proving: Proving, has_mic: bool, token: Vec<u8>, used: usize) -> Result<Step, Failed> {
        let Proving { negotiation, mut context } = proving;
        if has_mic {
            context.reset_crypto();
        }
        let reason = || {
            let offered = MechTypeList::from_der(&negotiation.list).map(|list| names(list.iter()));
            let offered = offered.unwrap_or_default();
            match self.choice.better_without_credentials.as_str() {
                "" => format!("the client offers {offered}"),
                better => {
                    format!("the client offers {offered}; a better package has no credentials ({better})")
                }
            }
        };
        let mechanism = self.choice.mechanism(negotiation.index)?;
        record(context.as_ref(), mechanism, self.choice.ntlm, self.source(), reason);
        Ok(Step::Complete { context, token, used })
    }

    /// A client that does not speak SPNEGO is answered in its own words.
    fn raw(&mut self, input: &[u8]) -> Result<Step, Failed> {
        let State::Raw { inner, by } = &mut self.state else {
            return Err(Error::Internal("nothing runs without a negotiation").into());
        };
        let by = *by;
        let step = inner.accept_security_context(input).map_err(|failure| Failed {
            error: Error::Mechanism(failure.error),
            token: failure.token,
            is_raw: true,
        })?;
        if let Step::Complete { context, .. } = &step {
            let mechanism = match by {
                By::Mechanism(index) => self.choice.mechanism(index)?,
                By::Stream => self.stream_package().ok_or(Error::Internal("there is no stream"))??,
            };
            let reason = || "the client does not negotiate".to_owned();
            record(context.as_ref(), mechanism, self.choice.ntlm, self.source(), reason);
            self.state = State::Complete;
        }
        Ok(step)
    }
}

const NOTHING_RUNS: Error = Error::Internal("no mechanism runs");

/// What is recorded when a client's first token of NTLM is looked at.
const TAKEN: &str = "a token of NTLM is taken";

impl Negotiation {
    /// A token of the mechanism, in one of SPNEGO; the first says what was chosen.
    fn say(&mut self, token: Option<&[u8]>, mic: Option<&[u8]>) -> Vec<u8> {
        let is_first = core::mem::replace(&mut self.is_first, false);
        let state =
            if is_first && self.needs_mic { NegState::RequestMic } else { NegState::AcceptIncomplete };
        self.resp(state, is_first, token, mic)
    }

    /// The last word.
    fn done(&self, token: &[u8], mic: Option<&[u8]>) -> Vec<u8> {
        self.resp(NegState::AcceptCompleted, self.is_first, Some(token), mic)
    }

    fn resp(&self, state: NegState, is_first: bool, token: Option<&[u8]>, mic: Option<&[u8]>) -> Vec<u8> {
        let chosen = || self.list.get(self.offered_as.clone()).and_then(MechType::from_content);
        let resp = NegTokenResp {
            neg_state: Some(state),
            supported_mech: if is_first { chosen() } else { None },
            response_token: token.filter(|token| !token.is_empty()),
            mech_list_mic: mic,
        };
        resp.to_bytes()
    }
}

/// What every message of NTLM begins with.
const NTLMSSP: &[u8] = b"NTLMSSP\0";

/// The mechanism of a token that is not one of SPNEGO.
fn raw_mechanism(input: &[u8]) -> Option<MechType<'_>> {
    if input.starts_with(NTLMSSP) {
        return Some(MechType::NTLM);
    }
    let framed = InitialContextToken::decode(input).ok()?;
    Some(framed.mechanism).filter(|mechanism| *mechanism != MechType::SPNEGO)
}

fn answer(input: &[u8]) -> Result<Call<'_>, Error> {
    let NegotiationToken::Resp(resp) = NegotiationToken::decode(input)? else {
        return Err(Error::Unexpected("the client makes a second offer"));
    };
    if resp.neg_state == Some(NegState::Reject) {
        return Err(Error::Rejected { is_logon: false });
    }
    // Windows 2000 sends its token twice, the second time in place of a MIC.
    let mic = resp.mech_list_mic.filter(|mic| Some(*mic) != resp.response_token);
    Ok(Call { input, token: resp.response_token.unwrap_or_default(), mic })
}
