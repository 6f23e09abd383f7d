//! The tokens of SPNEGO: what is offered, and what is answered.

use std::fmt;

use crate::der::{Der, Element, begin, put, put_bytes, size, tag, take, take_all};
use crate::framing::InitialContextToken;
use crate::{DecodeError, MAXIMUM_TOKEN, MechType, MechTypeList};

/// `NegotiationToken`: a token of SPNEGO.
///
/// Spec: SPNEGO section 4.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NegotiationToken<'a> {
    /// `[0]`: the first of an initiator, or the hints of a server that speaks first.
    Init(NegTokenInit<'a>),
    /// `[1]`: every other.
    Resp(NegTokenResp<'a>),
}

impl<'a> NegotiationToken<'a> {
    /// Whether `bytes` begin as a token of SPNEGO does, framed or not. A frame may still be that of another mechanism.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        const INIT: u8 = tag::context(0);
        const RESP: u8 = tag::context(1);
        matches!(bytes.first(), Some(&(INIT | RESP))) || InitialContextToken::is_framed(bytes)
    }

    /// Reads the token that `bytes` are. A first token without its frame is read too: some peers leave it out.
    ///
    /// # Errors
    /// They are no token of SPNEGO; the frame of another mechanism is refused as `InitialContextToken.thisMech`.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match Self::usual(bytes) {
            Some(token) => Ok(token),
            None => Self::any(bytes),
        }
    }

    /// The token, if it is what everybody sends: nothing in it that is rare, and no length longer than it is. It is read as
    /// [`any`](Self::any) reads it, in one go.
    #[inline]
    pub(crate) fn usual(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAXIMUM_TOKEN {
            return None;
        }
        if let Some(outer) = take_all(bytes, tag::context(1)) {
            return NegTokenResp::usual(take_all(outer, tag::SEQUENCE)?).map(Self::Resp);
        }
        let (mechanism, inner) = take(take_all(bytes, tag::APPLICATION_0)?, tag::OBJECT_IDENTIFIER)?;
        let init = take_all(take_all(inner, tag::context(0))?, tag::SEQUENCE)?;
        (mechanism == MechType::SPNEGO.content()).then_some(())?;
        NegTokenInit::usual(init).map(Self::Init)
    }

    /// The token, whatever is in it.
    pub(crate) fn any(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        const FIELD: &str = "NegotiationToken";
        let outer = Der::new(bytes, 0);
        if bytes.len() > MAXIMUM_TOKEN {
            return Err(outer.illegal(FIELD));
        }
        if InitialContextToken::is_framed(bytes) {
            let (mechanism, inner) = InitialContextToken::unwrap(bytes)?;
            if mechanism != MechType::SPNEGO {
                return Err(outer.illegal("InitialContextToken.thisMech"));
            }
            return NegTokenInit::decode(inner.only(FIELD, tag::context(0))?).map(Self::Init);
        }
        if outer.peek() == Some(tag::context(0)) {
            return NegTokenInit::decode(outer.only(FIELD, tag::context(0))?).map(Self::Init);
        }
        NegTokenResp::decode(outer.only(FIELD, tag::context(1))?).map(Self::Resp)
    }

    /// The token as bytes; the first of an initiator in its frame.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Init(init) => init.to_bytes(),
            Self::Resp(resp) => resp.to_bytes(),
        }
    }
}

/// `NegTokenInit`: the mechanisms that the sender has, and the first token of its favourite.
///
/// ```text
/// A0 len
///   30 len
///     A0 mechTypes     MechTypeList
///     A1 reqFlags      BIT STRING     optional; protected by nothing, and decides nothing
///     A2 mechToken     OCTET STRING   optional
///     A3 mechListMIC   OCTET STRING   optional
/// ```
///
/// With `hints` it is `NegTokenInit2` of Microsoft, which a server sends that speaks first: `[3]` is then the hints, and the
/// MIC is `[4]`. Which of the two came is told by what is in `[3]`.
///
/// Spec: SPNEGO section 4.2.1; MS-SPNG section 2.2.1.
#[derive(Clone, PartialEq, Eq)]
pub struct NegTokenInit<'a> {
    /// `mechTypes`.
    pub mech_types: MechTypeList<'a>,
    /// `reqFlags`.
    pub req_flags: Option<ContextFlags>,
    /// `mechToken`: the optimistic token.
    pub mech_token: Option<&'a [u8]>,
    /// `negHints`.
    pub hints: Option<NegHints<'a>>,
    /// `mechListMIC`.
    pub mech_list_mic: Option<&'a [u8]>,
}

/// The fields of a sequence in which each has a context tag of its own, in order.
struct Fields<'a> {
    rest: Der<'a>,
    last: Option<u8>,
}

impl<'a> Fields<'a> {
    /// The next field with a tag that is known, and its number. What is not known is passed over.
    fn next(&mut self, field: &'static str, known: u8) -> Result<Option<(u8, Element<'a>)>, DecodeError> {
        while !self.rest.is_empty() {
            let start = self.rest.clone();
            let element = self.rest.any(field)?;
            let number = element.tag ^ tag::context(0);
            if number >= known {
                continue;
            }
            if self.last.is_some_and(|last| number <= last) {
                return Err(start.illegal(field));
            }
            self.last = Some(number);
            return Ok(Some((number, element)));
        }
        Ok(None)
    }
}

/// The content of an OCTET STRING that is all there is.
fn octets<'a>(field: &'static str, element: Element<'a>) -> Result<&'a [u8], DecodeError> {
    element.content.only(field, tag::OCTET_STRING).map(|content| content.bytes())
}

#[inline]
fn put_octets(out: &mut Vec<u8>, number: u8, octets: Option<&[u8]>) {
    if let Some(octets) = octets {
        begin(out, tag::context(number), size(octets.len()));
        begin(out, tag::OCTET_STRING, octets.len());
        out.extend_from_slice(octets);
    }
}

/// The octets of the field with this number, if it is next: what is behind it is left.
#[inline]
fn take_octets<'a>(rest: &mut &'a [u8], number: u8) -> Option<Option<&'a [u8]>> {
    let Some((field, behind)) = take(rest, tag::context(number)) else { return Some(None) };
    *rest = behind;
    take_all(field, tag::OCTET_STRING).map(Some)
}

/// How many bytes `put_octets` writes.
#[inline]
fn size_of_octets(octets: Option<&[u8]>) -> usize {
    octets.map_or(0, |octets| size(size(octets.len())))
}

impl<'a> NegTokenInit<'a> {
    /// An offer of these mechanisms, with nothing else.
    #[must_use]
    pub const fn new(mech_types: MechTypeList<'a>) -> Self {
        Self { mech_types, req_flags: None, mech_token: None, hints: None, mech_list_mic: None }
    }

    /// From the fields, if they are mechanisms and a token.
    #[inline]
    fn usual(fields: &'a [u8]) -> Option<Self> {
        let (list, mut rest) = take(fields, tag::context(0))?;
        let mech_types = MechTypeList::from_der(list).ok()?;
        let mech_token = take_octets(&mut rest, 2)?;
        rest.is_empty().then(|| Self { mech_token, ..Self::new(mech_types) })
    }

    fn decode(inner: Der<'a>) -> Result<Self, DecodeError> {
        let sequence = inner.only("NegTokenInit", tag::SEQUENCE)?;
        let missing = sequence.illegal("NegTokenInit.mechTypes");
        let mut fields = Fields { rest: sequence, last: None };
        let (mut mech_types, mut req_flags, mut mech_token) = (None, None, None);
        let (mut hints, mut mech_list_mic) = (None, None);
        while let Some((number, element)) = fields.next("NegTokenInit", 5)? {
            match number {
                0 => mech_types = Some(MechTypeList::decode(element.content)?),
                1 => req_flags = Some(ContextFlags::decode(element.content)?),
                2 => mech_token = Some(octets("NegTokenInit.mechToken", element)?),
                3 if element.content.peek() == Some(tag::SEQUENCE) => {
                    hints = Some(NegHints::decode(element.content)?);
                }
                _ if mech_list_mic.is_some() => {
                    return Err(element.content.illegal("NegTokenInit.mechListMIC"));
                }
                _ => mech_list_mic = Some(octets("NegTokenInit.mechListMIC", element)?),
            }
        }
        let mech_types = mech_types.ok_or(missing)?;
        Ok(Self { mech_types, req_flags, mech_token, hints, mech_list_mic })
    }

    /// The token as bytes, in its frame.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut rare = Vec::new();
        if let Some(flags) = self.req_flags {
            put(&mut rare, tag::context(1), |out| flags.encode(out));
        }
        let before_token = rare.len();
        if let Some(hints) = self.hints {
            put(&mut rare, tag::context(3), |out| hints.encode(out));
        }
        let (flags, hints) = rare.split_at_checked(before_token).unwrap_or_default();
        let list = self.mech_types.as_der();
        let fields = size(list.len())
            + rare.len()
            + size_of_octets(self.mech_token)
            + size_of_octets(self.mech_list_mic);
        let spnego = MechType::SPNEGO.content();
        let inner = size(size(fields));
        let frame = size(spnego.len()) + inner;
        let mut out = Vec::with_capacity(size(frame));
        begin(&mut out, tag::APPLICATION_0, frame);
        MechType::SPNEGO.encode(&mut out);
        begin(&mut out, tag::context(0), size(fields));
        begin(&mut out, tag::SEQUENCE, fields);
        put_bytes(&mut out, tag::context(0), list);
        out.extend_from_slice(flags);
        put_octets(&mut out, 2, self.mech_token);
        out.extend_from_slice(hints);
        put_octets(&mut out, if self.hints.is_some() { 4 } else { 3 }, self.mech_list_mic);
        out
    }
}

/// `NegTokenResp`: the answer to an offer, and every token after it.
///
/// ```text
/// A1 len
///   30 len
///     A0 negState        ENUMERATED     required in the first answer
///     A1 supportedMech   OBJECT IDENTIFIER   in the first answer only
///     A2 responseToken   OCTET STRING   optional
///     A3 mechListMIC     OCTET STRING   optional
/// ```
///
/// Spec: SPNEGO section 4.2.2.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NegTokenResp<'a> {
    /// `negState`.
    pub neg_state: Option<NegState>,
    /// `supportedMech`: the mechanism that the acceptor chose.
    pub supported_mech: Option<MechType<'a>>,
    /// `responseToken`: a token of that mechanism.
    pub response_token: Option<&'a [u8]>,
    /// `mechListMIC`.
    pub mech_list_mic: Option<&'a [u8]>,
}

impl<'a> NegTokenResp<'a> {
    /// From the fields, if they are these, in order.
    #[inline]
    fn usual(fields: &'a [u8]) -> Option<Self> {
        let mut rest = fields;
        let mut resp = Self::default();
        if let Some((state, behind)) = take(rest, tag::context(0)) {
            let [number] = take_all(state, tag::ENUMERATED)? else { return None };
            resp.neg_state = Some(NegState::numbered(*number)?);
            rest = behind;
        }
        if let Some((mechanism, behind)) = take(rest, tag::context(1)) {
            let content = take_all(mechanism, tag::OBJECT_IDENTIFIER)?;
            resp.supported_mech = Some(MechType::from_content(content)?);
            rest = behind;
        }
        resp.response_token = take_octets(&mut rest, 2)?;
        resp.mech_list_mic = take_octets(&mut rest, 3)?;
        rest.is_empty().then_some(resp)
    }

    fn decode(inner: Der<'a>) -> Result<Self, DecodeError> {
        let mut fields = Fields { rest: inner.only("NegTokenResp", tag::SEQUENCE)?, last: None };
        let mut resp = Self::default();
        while let Some((number, element)) = fields.next("NegTokenResp", 4)? {
            match number {
                0 => resp.neg_state = Some(NegState::decode(element.content)?),
                1 => {
                    let (field, mut content) = ("NegTokenResp.supportedMech", element.content);
                    resp.supported_mech = Some(MechType::decode(&mut content, field)?);
                    content.finish(field)?;
                }
                2 => resp.response_token = Some(octets("NegTokenResp.responseToken", element)?),
                _ => resp.mech_list_mic = Some(octets("NegTokenResp.mechListMIC", element)?),
            }
        }
        Ok(resp)
    }

    /// The token as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let fields = self.neg_state.map_or(0, |_| size(size(1)))
            + size_of_octets(self.supported_mech.map(MechType::content))
            + size_of_octets(self.response_token)
            + size_of_octets(self.mech_list_mic);
        let mut out = Vec::with_capacity(size(size(fields)));
        begin(&mut out, tag::context(1), size(fields));
        begin(&mut out, tag::SEQUENCE, fields);
        if let Some(state) = self.neg_state {
            out.extend_from_slice(&[tag::context(0), 3, tag::ENUMERATED, 1, state.number()]);
        }
        if let Some(mechanism) = self.supported_mech {
            begin(&mut out, tag::context(1), size(mechanism.content().len()));
            mechanism.encode(&mut out);
        }
        put_octets(&mut out, 2, self.response_token);
        put_octets(&mut out, 3, self.mech_list_mic);
        out
    }
}

/// `negState`: how far the acceptor is.
///
/// Spec: SPNEGO section 4.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NegState {
    /// `accept-completed` (0): the sender has what it needs.
    AcceptCompleted,
    /// `accept-incomplete` (1): another token is needed.
    AcceptIncomplete,
    /// `reject` (2): the sender gives up.
    Reject,
    /// `request-mic` (3): as incomplete, and the list of mechanisms must be proved with a MIC.
    RequestMic,
}

impl NegState {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::AcceptCompleted => 0,
            Self::AcceptIncomplete => 1,
            Self::Reject => 2,
            Self::RequestMic => 3,
        }
    }

    /// What the specification calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcceptCompleted => "accept-completed",
            Self::AcceptIncomplete => "accept-incomplete",
            Self::Reject => "reject",
            Self::RequestMic => "request-mic",
        }
    }

    fn decode(content: Der<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "NegTokenResp.negState";
        let value = content.only(FIELD, tag::ENUMERATED)?;
        match value.bytes() {
            [number] => Self::numbered(*number).ok_or(value.illegal(FIELD)),
            _ => Err(value.illegal(FIELD)),
        }
    }

    /// The one with this number on the wire.
    const fn numbered(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::AcceptCompleted,
            1 => Self::AcceptIncomplete,
            2 => Self::Reject,
            3 => Self::RequestMic,
            _ => return None,
        })
    }
}

/// `ContextFlags`: what an initiator says it wants. It is protected by nothing, and an acceptor ignores it.
///
/// The first bit of the BIT STRING is the highest of the number.
///
/// Spec: SPNEGO section 4.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextFlags(pub u32);

impl ContextFlags {
    /// The flags by bit, the first first.
    const NAMES: [&'static str; 7] = ["deleg", "mutual", "replay", "sequence", "anon", "conf", "integ"];

    /// The names of the flags that are set, as the specification has them, without `Flag`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let has = move |bit: &usize| (self.0 << bit) & 0x8000_0000 != 0;
        (0..Self::NAMES.len()).filter(has).filter_map(|bit| Self::NAMES.get(bit).copied())
    }

    fn decode(content: Der<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "NegTokenInit.reqFlags";
        let bits = content.only(FIELD, tag::BIT_STRING)?;
        let (Some(0..=7), Some(octets)) = (bits.peek(), bits.bytes().get(1..)) else {
            return Err(bits.illegal(FIELD));
        };
        let mut number = [0; 4];
        number.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        Ok(Self(u32::from_be_bytes(number)))
    }

    /// As DER has named bits: without zeros at the end.
    fn encode(self, out: &mut Vec<u8>) {
        let octets = self.0.to_be_bytes();
        let used = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
        let octets = octets.get(..used).unwrap_or_default();
        let unused_bits = octets.last().map_or(0, |last| last.trailing_zeros());
        put(out, tag::BIT_STRING, |out| {
            out.extend(u8::try_from(unused_bits));
            out.extend_from_slice(octets);
        });
    }
}

/// `NegHints`: what a server of Microsoft says of itself when it speaks first; nobody uses it.
///
/// Spec: MS-SPNG section 2.2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegHints<'a> {
    /// `hintName`: [`NegHints::NAME`], with everybody.
    pub name: Option<&'a [u8]>,
    /// `hintAddress`: never sent.
    pub address: Option<&'a [u8]>,
}

impl<'a> NegHints<'a> {
    /// The name that everybody sends, since the name of the server is nobody's business before it is asked for.
    pub const NAME: &'static [u8] = b"not_defined_in_RFC4178@please_ignore";

    fn decode(content: Der<'a>) -> Result<Self, DecodeError> {
        let sequence = content.only("NegTokenInit2.negHints", tag::SEQUENCE)?;
        let mut fields = Fields { rest: sequence, last: None };
        let mut hints = Self::default();
        while let Some((number, element)) = fields.next("NegTokenInit2.negHints", 2)? {
            if number == 0 {
                let name = element.content.only("NegHints.hintName", tag::GENERAL_STRING)?;
                hints.name = Some(name.bytes());
            } else {
                hints.address = Some(octets("NegHints.hintAddress", element)?);
            }
        }
        Ok(hints)
    }

    fn encode(self, out: &mut Vec<u8>) {
        put(out, tag::SEQUENCE, |out| {
            if let Some(name) = self.name {
                put(out, tag::context(0), |out| put_bytes(out, tag::GENERAL_STRING, name));
            }
            put_octets(out, 1, self.address);
        });
    }
}

/// How much there is of what may be secret.
struct Length<'a>(Option<&'a [u8]>);

impl fmt::Debug for Length<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "{} bytes", bytes.len()),
            None => f.write_str("none"),
        }
    }
}

impl fmt::Debug for NegTokenInit<'_> {
    /// Without the mechanism's token, with which a password may be guessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NegTokenInit")
            .field("mech_types", &self.mech_types)
            .field("req_flags", &self.req_flags)
            .field("mech_token", &Length(self.mech_token))
            .field("hints", &self.hints)
            .field("mech_list_mic", &Length(self.mech_list_mic))
            .finish()
    }
}

impl fmt::Debug for NegTokenResp<'_> {
    /// Without the mechanism's token, with which a password may be guessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NegTokenResp")
            .field("neg_state", &self.neg_state)
            .field("supported_mech", &self.supported_mech)
            .field("response_token", &Length(self.response_token))
            .field("mech_list_mic", &Length(self.mech_list_mic))
            .finish()
    }
}
