//! The tokens of SPNEGO, and the frames of GSS-API, with whatever they carry.

use opensspi::tokens::spnego::{
    InitialContextToken, MechType, NegState, NegTokenInit, NegTokenResp, NegotiationToken,
};

use super::layout::offset_in;
use super::ntlm;
use super::table::{At, Table, Wrong};

/// Whether the bytes begin as such a token does.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    // One letter of a text could be a tag: a token says how long it is.
    NegotiationToken::is_one(bytes)
        && (NegotiationToken::decode(bytes).is_ok()
            || InitialContextToken::decode(bytes).is_ok()
            || str::from_utf8(bytes).is_err())
}

/// What token it is.
pub(super) fn kind(bytes: &[u8]) -> String {
    match (NegotiationToken::decode(bytes), InitialContextToken::decode(bytes)) {
        (Ok(NegotiationToken::Init(init)), _) if init.hints.is_some() => "SPNEGO NegTokenInit2".to_owned(),
        (Ok(NegotiationToken::Init(_)), _) => "SPNEGO NegTokenInit".to_owned(),
        (Ok(NegotiationToken::Resp(_)), _) => "SPNEGO NegTokenResp".to_owned(),
        (_, Ok(framed)) if framed.mechanism != MechType::SPNEGO => {
            format!("{} token", mechanism(framed.mechanism))
        }
        _ => "SPNEGO token".to_owned(),
    }
}

fn mechanism(mechanism: MechType<'_>) -> String {
    mechanism.name().map_or_else(|| mechanism.to_string(), str::to_owned)
}

/// Puts the rows of the token that `bytes` are.
pub(super) fn rows(table: &mut Table, bytes: &[u8]) -> Result<(), Wrong> {
    if let Ok(framed) = InitialContextToken::decode(bytes)
        && framed.mechanism != MechType::SPNEGO
    {
        frame(table, &framed, bytes, 0, 0);
        return Ok(());
    }
    let token = NegotiationToken::decode(bytes).map_err(|error| {
        let what = error.to_string();
        let what = what.strip_prefix(error.field).map_or(what.as_str(), |rest| rest.trim_start_matches(": "));
        let what = what.split(" (at byte").next().unwrap_or(what);
        Wrong::new(error.offset, error.field, what)
    })?;
    match token {
        NegotiationToken::Init(init) => {
            if let Ok(framed) = InitialContextToken::decode(bytes) {
                let content = framed.mechanism.content();
                let at = at(bytes, content, 0);
                table.value(at, "thisMech", framed.mechanism, "SPNEGO");
            }
            init_rows(table, bytes, &init)
        }
        NegotiationToken::Resp(resp) => resp_rows(table, bytes, &resp),
    }
}

fn at(whole: &[u8], part: &[u8], depth: usize) -> At {
    At { depth, offset: offset_in(whole, part), len: part.len() }
}

/// The frame of another mechanism: what is in it is that mechanism's.
fn frame(table: &mut Table, framed: &InitialContextToken<'_>, bytes: &[u8], base: usize, depth: usize) {
    let place = |part: &[u8]| At { depth, offset: base + offset_in(bytes, part), len: part.len() };
    let name = framed.mechanism.name().unwrap_or("a mechanism that nobody knows here");
    table.value(place(framed.mechanism.content()), "thisMech", framed.mechanism, name);
    let inner = framed.inner;
    let is_kerberos = framed.mechanism.is_same_mechanism(MechType::KERBEROS);
    let meaning = match inner {
        [1, 0, ..] if is_kerberos => "AP-REQ: a ticket, and the proof that it is the sender's",
        [2, 0, ..] if is_kerberos => "AP-REP: the server's proof",
        [3, 0, ..] if is_kerberos => "KRB-ERROR",
        _ => "the mechanism's own token",
    };
    table.secret(place(inner), "innerContextToken", inner, meaning);
}

fn init_rows(table: &mut Table, bytes: &[u8], init: &NegTokenInit<'_>) -> Result<(), Wrong> {
    let list = bytes
        .windows(init.mech_types.as_der().len())
        .position(|window| window == init.mech_types.as_der())
        .unwrap_or_default();
    let count = init.mech_types.iter().count();
    let place = At { depth: 0, offset: list, len: init.mech_types.as_der().len() };
    table.value(
        place,
        "mechTypes",
        format_args!("{count} mechanisms"),
        "in order of preference; a MIC is over them",
    );
    let der = init.mech_types.as_der();
    for found in init.mech_types.iter() {
        let inner = offset_in(der, found.content());
        let place = At { depth: 1, offset: list + inner, len: found.content().len() };
        table.value(place, "mechType", found, found.name().unwrap_or("a mechanism that nobody knows here"));
    }
    if let Some(flags) = init.req_flags {
        let names = flags.names().collect::<Vec<_>>().join(", ");
        table.note(0, "reqFlags", &format!("{names}; protected by nothing, and ignored"));
    }
    if let Some(token) = init.mech_token {
        carried(table, bytes, "mechToken", token, "the first token of the favourite")?;
    }
    if let Some(name) = init.hints.and_then(|hints| hints.name) {
        let text = String::from_utf8_lossy(name);
        table.text(at(bytes, name, 0), "hintName", &text, "of a server that speaks first; nobody uses it");
    }
    if let Some(mic) = init.mech_list_mic {
        table.secret(at(bytes, mic, 0), "mechListMIC", mic, "that the list was not changed on its way");
    }
    Ok(())
}

fn resp_rows(table: &mut Table, bytes: &[u8], resp: &NegTokenResp<'_>) -> Result<(), Wrong> {
    if let Some(state) = resp.neg_state {
        let meaning = match state {
            NegState::AcceptCompleted => "the sender has what it needs",
            NegState::AcceptIncomplete => "another token is needed",
            NegState::Reject => "the sender gives up",
            NegState::RequestMic => "another token is needed, and the list must be proved with a MIC",
        };
        let element = [0xa0, 3, 0x0a, 1, state.number()];
        let value = format!("{} {}", state.number(), state.name());
        // With a length that is longer than it has to be, it stands somewhere else.
        match bytes.windows(element.len()).position(|window| window == element) {
            Some(found) => {
                table.value(At { depth: 0, offset: found + 4, len: 1 }, "negState", value, meaning)
            }
            None => table.note(0, "negState", &format!("{value}: {meaning}")),
        }
    }
    if let Some(chosen) = resp.supported_mech {
        let name = chosen.name().unwrap_or("a mechanism that nobody knows here");
        table.value(at(bytes, chosen.content(), 0), "supportedMech", chosen, name);
    }
    if let Some(token) = resp.response_token {
        carried(table, bytes, "responseToken", token, "a token of the mechanism")?;
    }
    if let Some(mic) = resp.mech_list_mic {
        table.secret(at(bytes, mic, 0), "mechListMIC", mic, "that the list was not changed on its way");
    }
    Ok(())
}

/// A mechanism's token in one of SPNEGO.
fn carried(table: &mut Table, whole: &[u8], field: &str, token: &[u8], meaning: &str) -> Result<(), Wrong> {
    let place = at(whole, token, 0);
    if ntlm::is_one(token) {
        table.value(place, field, ntlm::kind(token), meaning);
        return ntlm::rows(table, token, place.offset, 1);
    }
    if let Ok(framed) = InitialContextToken::decode(token) {
        table.value(place, field, format_args!("{} token", mechanism(framed.mechanism)), meaning);
        frame(table, &framed, token, place.offset, 1);
        return Ok(());
    }
    table.secret(place, field, token, meaning);
    Ok(())
}

/// The message of NTLM that the bytes are, or that a token of SPNEGO carries.
pub(super) fn ntlm_in(bytes: &[u8]) -> Option<&[u8]> {
    if ntlm::is_one(bytes) {
        return Some(bytes);
    }
    let token = match NegotiationToken::decode(bytes).ok()? {
        NegotiationToken::Init(init) => init.mech_token,
        NegotiationToken::Resp(resp) => resp.response_token,
    };
    token.filter(|token| ntlm::is_one(token))
}
