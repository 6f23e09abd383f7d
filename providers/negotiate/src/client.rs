//! A handshake as client.
//!
//! ```text
//! Begin ── offer, first token ──▶ Running ── tokens ──▶ Ending: the mechanism is done ── the last word ──▶ complete
//!   │                                │ the server chose another
//!   │                                └── first token of that one ──▶ Running
//!   └── the favourite is a stream ──▶ Stream ── whatever it says ──▶ complete
//! ```
//!
//! Spec: SPNEGO sections 3.2 and 5; MS-SPNG section 3.2.

use std::sync::Arc;

use gss::{MechType, MechTypeList, NegState, NegTokenInit, NegTokenResp, NegotiationToken};
use sspi_core::{Failure, InitializeRequest, InitializeSecurityContext, IscReq, SecurityContext, Step};

use crate::context::{record, record_token};
use crate::list_mic;
use crate::mech_list::{Choice, Mechanism, StreamPackage, names, offer};
use crate::status::Error;

/// A handshake as client.
pub(crate) struct Client {
    asked: Asked,
    state: State,
}

/// What is asked of it, and what there is to choose from.
struct Asked {
    choice: Arc<Choice>,
    request: InitializeRequest,
}

enum State {
    /// Nothing was sent.
    Begin,
    /// A package runs that is carried by no negotiation.
    Stream(Box<dyn InitializeSecurityContext>),
    /// A mechanism runs.
    Running(Running),
    /// The mechanism is done, and the server's last word is awaited.
    Ending(Ending),
    /// It has failed; why.
    Over(sspi_core::Error),
    /// It is complete.
    Complete,
}

/// The negotiation so far.
struct Negotiation {
    /// What was offered, as it was sent.
    list: Arc<MechTypeList<'static>>,
    /// The mechanism that runs.
    index: usize,
    /// Where the offer began: what is behind the failed ones is the favourite.
    favourite: usize,
    /// The server's first answer has come.
    is_answered: bool,
    /// Somebody could have forced the choice: the list must be signed.
    needs_mic: bool,
    /// A token of the mechanism that runs has left.
    has_begun: bool,
}

struct Running {
    negotiation: Negotiation,
    inner: Box<dyn InitializeSecurityContext>,
    /// The input of the call that stopped with a question.
    asked: Option<Vec<u8>>,
}

struct Ending {
    negotiation: Negotiation,
    context: Box<dyn SecurityContext>,
    /// Whether the context can sign, once that was asked.
    can_sign: Option<bool>,
    /// This end has signed the list.
    has_signed: bool,
}

/// What the mechanism is called with, and what came beside it.
#[derive(Clone, Copy)]
struct Call<'a> {
    /// The whole input.
    input: &'a [u8],
    token: &'a [u8],
    state: Option<NegState>,
    mic: Option<&'a [u8]>,
}

impl<'a> Call<'a> {
    const fn first(input: &'a [u8]) -> Self {
        Self { input, token: &[], state: None, mic: None }
    }
}

impl InitializeSecurityContext for Client {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        let has_begun = !matches!(self.state, State::Begin);
        let step = match &mut self.state {
            State::Complete => {
                return Err(sspi_core::Error::invalid_handle("the handshake is complete").into());
            }
            State::Over(error) => return Err(error.clone().into()),
            State::Stream(inner) => {
                let step = inner.initialize_security_context(input);
                if let Ok(Step::Complete { .. } | Step::Declined { .. }) = &step {
                    self.state = State::Complete;
                }
                // After a failure it goes on saying the same.
                return step;
            }
            State::Begin => self.begin(input),
            State::Running(_) => self.go_on(input),
            State::Ending(_) if input.is_empty() => Ok(Step::Incomplete { missing: None }),
            State::Ending(_) => self.end(input),
        };
        step.map_err(|error| self.fail(error, has_begun))
    }
}

impl Client {
    /// # Errors
    /// There is only a package for streams, and none is asked for; or what that package has to say about the request.
    pub(crate) fn begun(
        choice: Arc<Choice>,
        request: &InitializeRequest,
    ) -> Result<Box<dyn InitializeSecurityContext>, sspi_core::Error> {
        let asked = Asked { choice, request: request.clone() };
        // It is written where it stays.
        let mut client = Box::new(Self { asked, state: State::Begin });
        let Asked { choice, request } = &mut client.asked;
        request.negotiated = true;
        let stream = choice.stream.as_ref().filter(|_| request.flags.contains(IscReq::STREAM));
        let favourite = stream.filter(|stream| stream.is_favourite || choice.mechanisms.is_empty());
        if let Some(StreamPackage { package, .. }) = favourite {
            let inner = package.as_ref().map_err(Clone::clone)?.credentials.initialize(request)?;
            client.state = State::Stream(inner);
            return Ok(client);
        }
        if choice.mechanisms.is_empty() {
            return Err(Error::OnlyStreams { ours: choice.names() }.into());
        }
        // Without signatures nobody could tell that the choice was forced. Spec: SPNEGO section 3.
        if !request.flags.contains(IscReq::NO_INTEGRITY) {
            request.flags = request.flags | IscReq::INTEGRITY;
        }
        Ok(client)
    }

    fn fail(&mut self, error: Error, has_begun: bool) -> Failure {
        let is_reported = matches!(&error, Error::Rejected { .. } | Error::NotTaken { .. });
        let error = sspi_core::Error::from(error);
        self.state = State::Over(error.clone());
        let says_so = self.asked.request.flags.contains(IscReq::EXTENDED_ERROR) && has_begun && !is_reported;
        let reject = NegTokenResp { neg_state: Some(NegState::Reject), ..NegTokenResp::default() };
        Failure { error, token: if says_so { reject.to_bytes() } else { Vec::new() } }
    }

    /// The offer. A server that speaks first says what it has: that is protected by nothing, and so decides nothing; but
    /// where there is nothing in common, nobody needs to try.
    fn begin(&mut self, input: &[u8]) -> Result<Step, Error> {
        if !input.is_empty() {
            let NegotiationToken::Init(hints) = NegotiationToken::decode(input)? else {
                return Err(Error::Unexpected("the server answers what was not offered yet"));
            };
            let is_ours = |mechanism| self.asked.choice.mechanisms.iter().any(|own| own.is(mechanism));
            if !hints.mech_types.iter().any(is_ours) {
                return Err(self.asked.nothing_in_common(&names(hints.mech_types.iter())));
            }
        }
        self.start(0, Call::first(input))
    }

    /// Begins with the mechanism of this index. One that cannot even begin is left out.
    fn start(&mut self, index: usize, call: Call<'_>) -> Result<Step, Error> {
        let inner = match self.asked.initiate(index) {
            Ok(inner) => inner,
            Err(error) => return self.start_next(index, call, error),
        };
        let offered = match index {
            0 => self.asked.choice.offer.clone(),
            _ => self.asked.choice.mechanisms.get(index..).and_then(offer),
        };
        let list = offered.ok_or_else(|| Error::Internal("a package has no object identifier"))?;
        let negotiation = Negotiation {
            list,
            index,
            favourite: index,
            is_answered: false,
            needs_mic: false,
            has_begun: false,
        };
        self.state = State::Running(Running { negotiation, inner, asked: None });
        self.call(call)
    }

    /// Spec: SPNEGO section 3.1: the offer recovers from what goes wrong before a mechanism is chosen.
    fn start_next(&mut self, failed: usize, call: Call<'_>, error: Error) -> Result<Step, Error> {
        let next = failed.saturating_add(1);
        let Some(mechanism) = self.asked.choice.mechanisms.get(failed) else { return Err(error) };
        if next >= self.asked.choice.mechanisms.len() {
            return Err(error);
        }
        tracing::debug!(package = mechanism.name(), %error, "the mechanism is not offered");
        self.start(next, call)
    }

    fn go_on(&mut self, input: &[u8]) -> Result<Step, Error> {
        let State::Running(running) = &mut self.state else { return Err(NOTHING_RUNS) };
        if let Some(asked) = running.asked.take() {
            if !input.starts_with(&asked) {
                let what = "after a question the same input must come again";
                return Err(Error::Mechanism(sspi_core::Error::invalid_handle(what)));
            }
            let call = match running.negotiation.is_answered {
                true => call_of(&asked, &answer(&asked)?),
                false => Call::first(&asked),
            };
            return self.call(call);
        }
        if input.is_empty() {
            return Ok(Step::Incomplete { missing: None });
        }
        let resp = answer(input)?;
        if let Some(inner) = self.asked.judge(&mut running.negotiation, &resp)? {
            running.inner = inner;
        }
        self.call(call_of(input, &resp))
    }

    fn call(&mut self, call: Call<'_>) -> Result<Step, Error> {
        let Self { asked, state } = self;
        let State::Running(running) = state else { return Err(NOTHING_RUNS) };
        let is_begin = !running.negotiation.is_answered;
        let used = call.input.len();
        let step = match running.inner.initialize_security_context(call.token) {
            Ok(step) => step,
            Err(failure) if is_begin => {
                let failed = running.negotiation.index;
                return self.start_next(failed, call, Error::Mechanism(failure.error));
            }
            Err(failure) => return Err(Error::Mechanism(failure.error)),
        };
        if !matches!(step, Step::Ask(_)) && !core::mem::replace(&mut running.negotiation.has_begun, true) {
            let mechanism = asked.choice.mechanism(running.negotiation.index)?;
            record_token(mechanism, asked.choice.ntlm, "a token of NTLM is about to leave", asked.target());
        }
        match step {
            Step::Ask(question) => {
                running.asked = Some(call.input.to_vec());
                Ok(Step::Ask(question))
            }
            Step::Continue { token, used: inner } if inner == call.token.len() => {
                if call.state == Some(NegState::AcceptCompleted) {
                    return Err(Error::Unexpected("the server is done before the mechanism is"));
                }
                Ok(Step::Continue { token: running.negotiation.say(&token, None, is_begin), used })
            }
            Step::Complete { context, token, used: inner } if inner == call.token.len() => {
                let State::Running(Running { negotiation, .. }) = core::mem::replace(state, State::Complete)
                else {
                    return Err(NOTHING_RUNS);
                };
                let ending = Ending { negotiation, context, can_sign: None, has_signed: false };
                if token.is_empty() && !is_begin {
                    asked.complete_with(ending, call)
                } else {
                    self.last_token(ending, &token, is_begin, used)
                }
            }
            _ => Err(Error::Unexpected("the server's answer is no whole token of the mechanism")),
        }
    }

    /// The mechanism's last token is this end's: the server has the last word.
    ///
    /// Spec: SPNEGO section 5 (c).
    fn last_token(
        &mut self,
        mut ending: Ending,
        token: &[u8],
        is_begin: bool,
        used: usize,
    ) -> Result<Step, Error> {
        // What signs its own messages with a MIC is as new as the rest of its system.
        let is_wanted = ending.negotiation.needs_mic || ending.context.requires_list_mic();
        ending.has_signed = self.asked.must_sign(&mut ending, is_wanted)? && !is_begin;
        let Ending { negotiation, context, has_signed, .. } = &mut ending;
        let mic =
            has_signed.then(|| list_mic::make(context.as_mut(), negotiation.list.as_der())).transpose()?;
        let token = negotiation.say(token, mic.as_deref(), is_begin);
        self.state = State::Ending(ending);
        Ok(Step::Continue { token, used })
    }

    /// The server's last word, for which the mechanism is done.
    fn end(&mut self, input: &[u8]) -> Result<Step, Error> {
        let State::Ending(mut ending) = core::mem::replace(&mut self.state, State::Complete) else {
            return Err(NOTHING_RUNS);
        };
        let resp = answer(input)?;
        let is_logon = resp.neg_state == Some(NegState::Reject) && ending.negotiation.is_answered;
        if is_logon {
            return Err(Error::Rejected { is_logon });
        }
        if let Some(inner) = self.asked.judge(&mut ending.negotiation, &resp)? {
            // What was said first was for another mechanism.
            let negotiation = ending.negotiation;
            self.state = State::Running(Running { negotiation, inner, asked: None });
            return self.call(call_of(input, &resp));
        }
        if resp.response_token.is_some_and(|token| !token.is_empty()) {
            return Err(Error::Unexpected("the server goes on with a mechanism that is done"));
        }
        self.asked.complete_with(ending, call_of(input, &resp))
    }
}

impl Asked {
    /// Whom the client wants to talk to.
    fn target(&self) -> &str {
        self.request.target_name.as_deref().unwrap_or_default()
    }

    fn initiate(&self, index: usize) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        self.choice.mechanism(index)?.credentials.initialize(&self.request).map_err(Error::Mechanism)
    }

    /// Whether this end signs the list, or must see it signed. A context that cannot sign although its package can is what
    /// somebody in between makes of it, unless the caller wants it so.
    fn must_sign(&self, ending: &mut Ending, is_wanted: bool) -> Result<bool, Error> {
        if !is_wanted {
            return Ok(false);
        }
        let Ending { negotiation, context, can_sign, .. } = ending;
        let can_sign = *can_sign.get_or_insert_with(|| list_mic::can_sign(context.as_ref()));
        let may_lack = self.request.flags.contains(IscReq::NO_INTEGRITY)
            || !self.choice.mechanism(negotiation.index)?.can_sign();
        list_mic::must_sign(can_sign, is_wanted, may_lack)
    }

    fn nothing_in_common(&self, offered: &str) -> Error {
        let ours: Vec<_> = self.choice.mechanisms.iter().map(Mechanism::name).collect();
        Error::NothingInCommon {
            offered: offered.to_owned(),
            ours: ours.join(", "),
            setting: "negotiate.packages",
        }
    }

    /// Looks at what the server says about the choice; another mechanism begins where it chose another.
    fn judge(
        &self,
        negotiation: &mut Negotiation,
        resp: &NegTokenResp<'_>,
    ) -> Result<Option<Box<dyn InitializeSecurityContext>>, Error> {
        if resp.neg_state == Some(NegState::Reject) {
            return Err(match negotiation.is_answered {
                true => Error::Rejected { is_logon: false },
                false => Error::NotTaken { offered: names(negotiation.list.iter()) },
            });
        }
        if core::mem::replace(&mut negotiation.is_answered, true) {
            // Windows says the mechanism again; nobody may say another one.
            if resp
                .supported_mech
                .is_some_and(|chosen| self.index_of(negotiation, chosen) != Some(negotiation.index))
            {
                return Err(Error::Unexpected("the server changed its mind about the mechanism"));
            }
            if resp.neg_state == Some(NegState::RequestMic) {
                return Err(Error::Unexpected("only the server's first answer can request a MIC"));
            }
            return Ok(None);
        }
        if resp.neg_state.is_none() {
            return Err(Error::Unexpected("the server's first answer does not say how far it is"));
        }
        negotiation.needs_mic |= resp.neg_state == Some(NegState::RequestMic);
        let Some(chosen) = resp.supported_mech else { return Ok(None) };
        let not_offered = || Error::NotOffered { chosen: names([chosen]) };
        let index = self.index_of(negotiation, chosen).ok_or_else(not_offered)?;
        if index == negotiation.index && !negotiation.is_restart(chosen, resp) {
            return Ok(None);
        }
        if resp.response_token.is_some_and(|token| !token.is_empty()) {
            return Err(Error::Unexpected("the server answers for a mechanism that has not said anything"));
        }
        negotiation.needs_mic = true;
        negotiation.index = index;
        negotiation.has_begun = false;
        self.initiate(index).map(Some)
    }

    /// Which of the mechanisms that were offered it is.
    fn index_of(&self, negotiation: &Negotiation, chosen: MechType<'_>) -> Option<usize> {
        let index = self.choice.mechanisms.iter().position(|mechanism| mechanism.is(chosen))?;
        (index >= negotiation.favourite).then_some(index)
    }

    /// Both ends have the mechanism's tokens: what is left is the list.
    ///
    /// Spec: SPNEGO section 5 (b) and (c).
    fn complete_with(&self, mut ending: Ending, call: Call<'_>) -> Result<Step, Error> {
        // Who has seen this end's signature, and is new enough to ask for it, signs too.
        let is_wanted =
            ending.negotiation.needs_mic || ending.has_signed || ending.context.requires_list_mic();
        let needs_mic = self.must_sign(&mut ending, is_wanted)?;
        let Ending { negotiation, mut context, has_signed, .. } = ending;
        let is_peer_done = matches!(call.state, Some(NegState::AcceptCompleted) | None);
        let mut last = Vec::new();
        match call.mic {
            Some(mic) => {
                list_mic::check(context.as_mut(), negotiation.list.as_der(), mic)?;
                if !has_signed && !is_peer_done {
                    let ours = list_mic::make(context.as_mut(), negotiation.list.as_der())?;
                    last = done(Some(&ours));
                }
            }
            None if call.token.is_empty() && call.state == Some(NegState::AcceptIncomplete) => {
                return Err(Error::Unexpected("the server goes on, and says neither with what nor why"));
            }
            None if needs_mic => return Err(Error::NoMic),
            None if is_peer_done => {}
            None => last = done(None),
        }
        if has_signed || call.mic.is_some() {
            context.reset_crypto();
        }
        let mechanism = self.choice.mechanism(negotiation.index)?;
        record(context.as_ref(), mechanism, self.choice.ntlm, self.target(), || self.reason(&negotiation));
        Ok(Step::Complete { context, token: last, used: call.input.len() })
    }

    /// Why it came to this mechanism.
    fn reason(&self, negotiation: &Negotiation) -> String {
        let Choice { mechanisms, better_without_credentials: better, .. } = &*self.choice;
        if negotiation.index != negotiation.favourite {
            "the server has no better package".to_owned()
        } else if !better.is_empty() {
            format!("a better package has no credentials ({better})")
        } else if mechanisms.first().is_some_and(Mechanism::is_ntlm) {
            "the policy has it first".to_owned()
        } else {
            "no better package could begin".to_owned()
        }
    }
}

const NOTHING_RUNS: Error = Error::Internal("no mechanism runs");

impl Negotiation {
    /// Whether the server took the running mechanism under another of its names, and not the token that came with the first:
    /// it begins anew.
    ///
    /// Spec: SPNEGO section 4.2.2.
    fn is_restart(&self, chosen: MechType<'_>, resp: &NegTokenResp<'_>) -> bool {
        let has_content = resp.response_token.is_some() || resp.mech_list_mic.is_some();
        !has_content
            && resp.neg_state != Some(NegState::AcceptCompleted)
            && self.list.iter().next() != Some(chosen)
    }

    /// A token of the mechanism, in one of SPNEGO.
    fn say(&self, token: &[u8], mic: Option<&[u8]>, is_begin: bool) -> Vec<u8> {
        if is_begin {
            let token = Some(token).filter(|token| !token.is_empty());
            return NegTokenInit { mech_token: token, ..NegTokenInit::new(self.list.by_ref()) }.to_bytes();
        }
        let resp =
            NegTokenResp { response_token: Some(token), mech_list_mic: mic, ..NegTokenResp::default() };
        resp.to_bytes()
    }
}

fn answer(input: &[u8]) -> Result<NegTokenResp<'_>, Error> {
    match NegotiationToken::decode(input)? {
        NegotiationToken::Resp(resp) => Ok(resp),
        NegotiationToken::Init(_) => Err(Error::Unexpected("the server answers with an offer")),
    }
}

fn call_of<'a>(input: &'a [u8], resp: &NegTokenResp<'a>) -> Call<'a> {
    // Windows 2000 sends its token twice, the second time in place of a MIC.
    let mic = resp.mech_list_mic.filter(|mic| Some(*mic) != resp.response_token);
    Call { input, token: resp.response_token.unwrap_or_default(), state: resp.neg_state, mic }
}

/// The last word of this end, where the server awaits one.
fn done(mic: Option<&[u8]>) -> Vec<u8> {
    let resp = NegTokenResp {
        neg_state: Some(NegState::AcceptCompleted),
        mech_list_mic: mic,
        ..NegTokenResp::default()
    };
    resp.to_bytes()
}
