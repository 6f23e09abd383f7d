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
    InitialContextToken, MechType, MechTypeList, NegHints, NegState, NegTokenInit, NegTokenResp,
    NegotiationToken,
};
use sspi_core::{AcceptRequest, AcceptSecurityContext, AscReq, Failure, SecurityContext, Step};

use crate::config::{NtlmPolicy, RawPolicy};
use crate::context::{record, record_token};
use crate::list_mic;
use crate::mech_list::{Choice, Chosen, Mechanism, choose, names};
use crate::status::Error;

/// A handshake as server.
pub(crate) struct Server {
    choice: Arc<Choice>,
    request: AcceptRequest,
    state: State,
}

enum State {
    /// Nothing was heard.
    Begin,
    /// A mechanism runs in tokens of SPNEGO.
    Running(Box<Running>),
    /// The mechanism is done, and the client's MIC is awaited.
    Proving(Box<Proving>),
    /// A mechanism runs in its own tokens, or the package for streams in its own bytes.
    Raw { inner: Box<dyn AcceptSecurityContext>, by: By },
    /// It has failed; why.
    Over(sspi_core::Error),
    /// It is complete; or a call is going on.
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
    list: Vec<u8>,
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

/// What a call came to, before it is said.
struct Next {
    state: State,
    step: Step,
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
        let next = match core::mem::replace(&mut self.state, State::Complete) {
            State::Complete => {
                return Err(sspi_core::Error::invalid_handle("the handshake is complete").into());
            }
            State::Over(error) => {
                self.state = State::Over(error.clone());
                return Err(error.into());
            }
            State::Begin if input.is_empty() => self.hints(),
            State::Begin => self.begin(input),
            State::Running(running) => self.go_on(running, input),
            State::Proving(proving) if input.is_empty() => {
                let step = Step::Incomplete { missing: None };
                Ok(Next { state: State::Proving(proving), step })
            }
            State::Proving(proving) => self.prove(*proving, input),
            State::Raw { inner, by } => self.raw(inner, by, input),
        };
        match next {
            Ok(Next { state, step }) => {
                self.state = state;
                Ok(step)
            }
            Err(failed) => Err(self.fail(failed)),
        }
    }
}

impl Server {
    pub(crate) fn new(choice: Arc<Choice>, request: &AcceptRequest) -> Self {
        let request = AcceptRequest { negotiated: true, ..request.clone() };
        Self { choice, request, state: State::Begin }
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
    fn hints(&self) -> Result<Next, Failed> {
        let Some(list) = &self.choice.offer else {
            // There is nothing to be said before a stream has begun.
            return Ok(Next { state: State::Begin, step: Step::Incomplete { missing: Some(1) } });
        };
        let hints = NegHints { name: Some(NegHints::NAME), address: None };
        let token = NegTokenInit { hints: Some(hints), ..NegTokenInit::new(list.by_ref()) }.to_bytes();
        Ok(Next { state: State::Begin, step: Step::Continue { token, used: 0 } })
    }

    /// The client's first token: an offer, or one of a mechanism that speaks for itself.
    fn begin(&self, input: &[u8]) -> Result<Next, Failed> {
        let is_raw = |error| Failed { is_raw: true, ..Failed::from(error) };
        let token = NegotiationToken::decode(input);
        if let Some(mechanism) = token.is_err().then(|| raw_mechanism(input)).flatten() {
            let (inner, index) = self.begin_raw(mechanism).map_err(is_raw)?;
            return self.raw(inner, By::Mechanism(index), input);
        }
        if !NegotiationToken::is_one(input) {
            if let Some(package) = self.stream_package() {
                if NTLMSSP.starts_with(input) {
                    let step = Step::Incomplete { missing: Some(NTLMSSP.len().saturating_sub(input.len())) };
                    return Ok(Next { state: State::Begin, step });
                }
                let inner = package.map_err(is_raw)?.credentials.accept(&self.request);
                let inner = inner.map_err(|error| is_raw(Error::Mechanism(error)))?;
                return self.raw(inner, By::Stream, input);
            }
            if self.choice.mechanisms.is_empty() {
                return Err(is_raw(Error::OnlyStreams { ours: self.choice.names() }));
            }
            if self.wants_stream() {
                return Err(is_raw(Error::NoStream { ours: self.choice.names() }));
            }
        }
        let NegotiationToken::Init(init) = token? else {
            return Err(Error::Unexpected("the client answers what was not offered").into());
        };
        let Some(Chosen { index, offered_as, is_favourite_of_client }) =
            choose(&self.choice.mechanisms, &init.mech_types)
        else {
            return Err(self.nothing_in_common(&names(init.mech_types.iter())).into());
        };
        let negotiation = Negotiation {
            list: init.mech_types.as_der().to_vec(),
            index,
            offered_as: place(offered_as.content(), init.mech_types.as_der()),
            is_first: true,
            // With another list, this end would have chosen another one.
            needs_mic: !is_favourite_of_client || index != 0,
            has_begun: false,
        };
        let running = Box::new(Running { negotiation, inner: self.accept(index)?, asked: None });
        let token = init.mech_token.filter(|token| is_favourite_of_client && !token.is_empty());
        let Some(token) = token else { return Ok(Self::ask_anew(running, input.len())) };
        self.call(running, Call { input, token, mic: init.mech_list_mic })
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
        self.record_token(index)?;
        Ok((inner, index))
    }

    fn record_token(&self, index: usize) -> Result<(), Error> {
        let source = self.request.source.as_deref().unwrap_or_default();
        let mechanism = self.choice.mechanism(index)?;
        record_token(mechanism, self.choice.ntlm, "a token of NTLM is taken", source);
        Ok(())
    }

    fn nothing_in_common(&self, offered: &str) -> Error {
        let is_denied = self.choice.ntlm == NtlmPolicy::Deny && offered == "NTLM";
        let setting = if is_denied { "negotiate.ntlm" } else { "negotiate.packages" };
        Error::NothingInCommon { offered: offered.to_owned(), ours: self.choice.names(), setting }
    }

    /// The choice, without a token: the client begins anew with that mechanism.
    fn ask_anew(mut running: Box<Running>, used: usize) -> Next {
        let token = running.negotiation.say(None, None);
        Next { state: State::Running(running), step: Step::Continue { token, used } }
    }

    fn go_on(&self, mut running: Box<Running>, input: &[u8]) -> Result<Next, Failed> {
        if let Some(asked) = running.asked.take() {
            let Some(call) = asked.again(input) else {
                let what = "after a question the same input must come again";
                return Err(Error::Mechanism(sspi_core::Error::invalid_handle(what)).into());
            };
            return self.call(running, call);
        }
        if input.is_empty() {
            let step = Step::Incomplete { missing: None };
            return Ok(Next { state: State::Running(running), step });
        }
        let call = answer(input)?;
        self.call(running, call)
    }

    fn call(&self, mut running: Box<Running>, call: Call<'_>) -> Result<Next, Failed> {
        let used = call.input.len();
        if !core::mem::replace(&mut running.negotiation.has_begun, true) {
            self.record_token(running.negotiation.index)?;
        }
        let step = running.inner.accept_security_context(call.token).map_err(|failure| Failed {
            error: Error::Mechanism(failure.error),
            token: failure.token,
            is_raw: false,
        })?;
        match step {
            Step::Ask(question) => {
                running.asked = Some(Asked::of(call));
                Ok(Next { state: State::Running(running), step: Step::Ask(question) })
            }
            Step::Continue { token, used: inner } if inner == call.token.len() => {
                let token = running.negotiation.say(Some(&token), None);
                Ok(Next { state: State::Running(running), step: Step::Continue { token, used } })
            }
            Step::Complete { context, token, used: inner } if inner == call.token.len() => {
                let proving = Proving { negotiation: running.negotiation, context };
                self.complete(proving, &token, call)
            }
            _ => Err(Error::Unexpected("the client's token is no whole token of the mechanism").into()),
        }
    }

    /// The mechanism is done: is the list proved, and must it be?
    ///
    /// Spec: SPNEGO section 5 (b) and (c).
    fn complete(&self, mut proving: Proving, token: &[u8], call: Call<'_>) -> Result<Next, Failed> {
        let used = call.input.len();
        let Proving { negotiation, context } = &mut proving;
        let may_lack = !self.choice.mechanism(negotiation.index)?.can_sign();
        let is_wanted = negotiation.needs_mic || context.requires_list_mic();
        let needs_mic = list_mic::must_sign(context.as_ref(), is_wanted, may_lack)?;
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
                return Ok(Next {
                    state: State::Proving(Box::new(proving)),
                    step: Step::Continue { token, used },
                });
            }
            None if needs_mic => return Err(Error::NoMic.into()),
            None => None,
        };
        let last = negotiation.done(token, ours.as_deref());
        self.hand_out(proving, ours.is_some(), last, used)
    }

    /// The client's MIC, which this end has asked for.
    fn prove(&self, mut proving: Proving, input: &[u8]) -> Result<Next, Failed> {
        let call = answer(input)?;
        if !call.token.is_empty() {
            return Err(Error::Unexpected("the client goes on with a mechanism that is done").into());
        }
        let mic = call.mic.ok_or(Error::NoMic)?;
        list_mic::check(proving.context.as_mut(), &proving.negotiation.list, mic)?;
        self.hand_out(proving, true, Vec::new(), input.len())
    }

    fn hand_out(&self, proving: Proving, has_mic: bool, token: Vec<u8>, used: usize) -> Result<Next, Failed> {
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
        Ok(self.finished(context, mechanism, reason, token, used))
    }

    fn finished(
        &self,
        context: Box<dyn SecurityContext>,
        mechanism: &Mechanism,
        reason: impl FnOnce() -> String,
        token: Vec<u8>,
        used: usize,
    ) -> Next {
        let source = self.request.source.as_deref().unwrap_or_default();
        record(context.as_ref(), mechanism, self.choice.ntlm, source, reason);
        Next { state: State::Complete, step: Step::Complete { context, token, used } }
    }

    /// A client that does not speak SPNEGO is answered in its own words.
    fn raw(&self, mut inner: Box<dyn AcceptSecurityContext>, by: By, input: &[u8]) -> Result<Next, Failed> {
        let step = inner.accept_security_context(input).map_err(|failure| Failed {
            error: Error::Mechanism(failure.error),
            token: failure.token,
            is_raw: true,
        })?;
        match step {
            Step::Complete { context, token, used } => {
                let mechanism = match by {
                    By::Mechanism(index) => self.choice.mechanism(index)?,
                    By::Stream => self.stream_package().ok_or(Error::Internal("there is no stream"))??,
                };
                let reason = || "the client does not negotiate".to_owned();
                Ok(self.finished(context, mechanism, reason, token, used))
            }
            step => Ok(Next { state: State::Raw { inner, by }, step }),
        }
    }
}

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
        let token = Some(token).filter(|token| !token.is_empty());
        self.resp(NegState::AcceptCompleted, self.is_first, token, mic)
    }

    fn resp(&self, state: NegState, is_first: bool, token: Option<&[u8]>, mic: Option<&[u8]>) -> Vec<u8> {
        let chosen = self.list.get(self.offered_as.clone()).and_then(MechType::from_content);
        let resp = NegTokenResp {
            neg_state: Some(state),
            supported_mech: chosen.filter(|_| is_first),
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
