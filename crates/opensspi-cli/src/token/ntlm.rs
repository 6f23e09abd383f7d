//! The three messages of NTLM, field by field.

use std::time::{Duration, UNIX_EPOCH};

use opensspi::tokens::ntlm::{
    AuthenticateMessage, AvFlags, AvId, Message, MessageType, NegotiateFlags, NtlmV2Response, SIGNATURE, text,
};

use super::layout::Layout;
use super::table::{At, Table, Wrong};
use crate::dates::date;

/// Whether the bytes begin as a message of NTLM does.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(&SIGNATURE)
}

/// What message it is.
pub(super) fn kind(bytes: &[u8]) -> String {
    format!("NTLM {}", name(MessageType::decode(bytes).ok()).0)
}

const fn name(kind: Option<MessageType>) -> (&'static str, &'static str) {
    match kind {
        Some(MessageType::NEGOTIATE) => ("NEGOTIATE", "the client's first: what it can do"),
        Some(MessageType::CHALLENGE) => {
            ("CHALLENGE", "the server's: what both do, and what a password is proved with")
        }
        Some(MessageType::AUTHENTICATE) => ("AUTHENTICATE", "the client's second: who it is, and the proof"),
        _ => ("message of an unknown type", "nobody knows this type"),
    }
}

/// What a payload field holds, and how it is shown.
#[derive(Clone, Copy)]
enum Holds {
    /// A text; of the sender's code page where that is said, whatever the flags say.
    Text {
        is_oem: bool,
    },
    Secret,
    NtResponse,
    TargetInfo,
}

/// A field of the fixed part that points to a content.
struct Pointer {
    at: usize,
    name: &'static str,
    holds: Holds,
    meaning: &'static str,
}

const fn pointer(at: usize, name: &'static str, holds: Holds, meaning: &'static str) -> Pointer {
    Pointer { at, name, holds, meaning }
}

const TEXT: Holds = Holds::Text { is_oem: false };
const OEM: Holds = Holds::Text { is_oem: true };

const NEGOTIATE: [Pointer; 2] = [
    pointer(16, "DomainName", OEM, "the client's domain"),
    pointer(24, "WorkstationName", OEM, "the client's computer"),
];
const CHALLENGE: [Pointer; 2] = [
    pointer(12, "TargetName", TEXT, "the server's name, or its domain's"),
    pointer(40, "TargetInfo", Holds::TargetInfo, "what the server says of itself"),
];
const AUTHENTICATE: [Pointer; 6] = [
    pointer(12, "LmChallengeResponse", Holds::Secret, "proof of the LM hash, or of LMv2; zeros beside a MIC"),
    pointer(20, "NtChallengeResponse", Holds::NtResponse, "proof of the password"),
    pointer(28, "DomainName", TEXT, "the user's domain"),
    pointer(36, "UserName", TEXT, "who logs on"),
    pointer(44, "Workstation", TEXT, "the client's computer"),
    pointer(
        52,
        "EncryptedRandomSessionKey",
        Holds::Secret,
        "the session's key, encrypted with one of the password",
    ),
];

/// The length of the proof in an answer of version 2.
const PROOF_LEN: usize = 16;

/// The places of a message: where its flags lie, and what points to contents.
const fn places(kind: MessageType) -> Option<(usize, &'static [Pointer])> {
    match kind {
        MessageType::NEGOTIATE => Some((12, &NEGOTIATE)),
        MessageType::CHALLENGE => Some((20, &CHALLENGE)),
        MessageType::AUTHENTICATE => Some((60, &AUTHENTICATE)),
        _ => None,
    }
}

/// Where a field that the message's own reader complains of lies.
fn offset_of(kind: MessageType, field: &str) -> usize {
    let pointers = places(kind).map_or(&[][..], |(_, pointers)| pointers);
    if let Some(pointer) = pointers.iter().find(|pointer| field.starts_with(pointer.name)) {
        return pointer.at;
    }
    match (field, kind) {
        ("MessageType", _) => 8,
        ("NegotiateFlags", kind) => places(kind).map_or(0, |(at, _)| at),
        ("ServerChallenge", _) => 24,
        ("Reserved", _) => 32,
        ("Version", MessageType::AUTHENTICATE) => 64,
        ("Version", MessageType::CHALLENGE) => 48,
        ("Version", _) => 32,
        ("MIC", _) => AuthenticateMessage::MIC_RANGE.start,
        _ => 0,
    }
}

/// A message being shown.
struct Shown<'a, 't> {
    table: &'t mut Table,
    layout: Layout<'a>,
    depth: usize,
    kind: MessageType,
    flags: NegotiateFlags,
    /// Where secrets lie, whether or not they can be shown: offsets and lengths.
    secrets: Vec<(usize, usize)>,
}

/// Puts the rows of the message that `bytes` are, which begin at `base` of what is shown.
pub(super) fn rows(table: &mut Table, bytes: &[u8], base: usize, depth: usize) -> Result<(), Wrong> {
    let layout = Layout { bytes, base };
    let at = |offset, len| At { depth, offset: base + offset, len };
    layout.take("Signature", 0, 8)?;
    table.value(at(0, 8), "Signature", "\"NTLMSSP\\0\"", "a message of NTLM");
    let kind = MessageType(layout.u32("MessageType", 8)?);
    let (name, meaning) = name(Some(kind));
    table.value(at(8, 4), "MessageType", format_args!("{} {name}", kind.0), meaning);
    let Some((flags_at, pointers)) = places(kind) else {
        return Err(Wrong::new(base + 8, "MessageType", "there are the types 1, 2 and 3"));
    };
    let flags = NegotiateFlags(layout.u32("NegotiateFlags", flags_at)?);
    let begin = table.len();
    let mut shown = Shown { table, layout, depth, kind, flags, secrets: Vec::new() };
    let result = shown.fixed(flags_at, pointers).and_then(|()| shown.contents(pointers));
    let secrets = core::mem::take(&mut shown.secrets);
    table.conceal(begin, &secrets);
    result?;
    // What can be read by itself may still not be where it may be.
    Message::decode(bytes).map_err(|error| {
        let what = error.to_string();
        let what = what.strip_prefix(error.field).map_or(what.as_str(), |rest| rest.trim_start_matches(": "));
        Wrong::new(base + offset_of(kind, error.field), error.field, format_args!("{what}, or overlaps"))
    })?;
    Ok(())
}

impl<'a> Shown<'a, '_> {
    const fn at(&self, depth: usize, offset: usize, len: usize) -> At {
        At { depth: self.depth + depth, offset: self.layout.base + offset, len }
    }

    /// Whether a field is in this message: the oldest end before it, or say that they have none.
    fn has(&self, pointer: &Pointer) -> bool {
        match pointer.name {
            "TargetInfo" => self.flags.contains(NegotiateFlags::NEGOTIATE_TARGET_INFO),
            "DomainName" | "WorkstationName" if self.kind == MessageType::NEGOTIATE => {
                self.layout.bytes.len() > 16
            }
            _ => true,
        }
    }

    /// The fixed part, in its order.
    fn fixed(&mut self, flags_at: usize, pointers: &[Pointer]) -> Result<(), Wrong> {
        let before = |pointer: &&Pointer| pointer.at < flags_at;
        for pointer in pointers.iter().filter(before) {
            self.pointer(pointer)?;
        }
        let value = format!("{:#010x}", self.flags.0);
        self.table.value(self.at(0, flags_at, 4), "NegotiateFlags", value, "what it can do, or both do");
        for flag in self.flags.names() {
            self.table.note(self.depth + 1, flag, "");
        }
        if self.kind == MessageType::CHALLENGE {
            let challenge = self.layout.take("ServerChallenge", 24, 8)?;
            self.table.bytes(self.at(0, 24, 8), "ServerChallenge", challenge, "random; no secret by itself");
        }
        for pointer in pointers.iter().filter(|pointer| !before(pointer)) {
            if self.has(pointer) {
                self.pointer(pointer)?;
            }
        }
        self.version_and_mic(pointers)
    }

    fn pointer(&mut self, pointer: &Pointer) -> Result<(), Wrong> {
        let (len, offset) = self.target(pointer)?;
        let value = if len == 0 { "nothing".to_owned() } else { format!("{len} bytes at {offset}") };
        let field = format!("{}Fields", pointer.name);
        self.table.value(self.at(0, pointer.at, 8), &field, value, "");
        Ok(())
    }

    /// Length and offset of a content.
    fn target(&self, pointer: &Pointer) -> Result<(usize, usize), Wrong> {
        let field = format!("{}Fields", pointer.name);
        let len = self.layout.u16(&field, pointer.at)?;
        let _max_len = self.layout.u16(&field, pointer.at + 2)?;
        let offset = self.layout.u32(&field, pointer.at + 4)?;
        Ok((usize::from(len), usize::try_from(offset).unwrap_or(usize::MAX)))
    }

    /// What lies between the fixed part and the first content.
    fn version_and_mic(&mut self, pointers: &[Pointer]) -> Result<(), Wrong> {
        let begins = pointers.iter().filter(|pointer| self.has(pointer)).map(|pointer| self.target(pointer));
        let begins: Vec<_> = begins.collect::<Result<_, _>>()?;
        let begins = begins.iter().filter(|(len, _)| *len > 0).map(|(_, offset)| *offset);
        let begins = begins.min().unwrap_or(self.layout.bytes.len()).min(self.layout.bytes.len());
        let version = offset_of(self.kind, "Version");
        if self.flags.contains(NegotiateFlags::NEGOTIATE_VERSION) && begins >= version + 8 {
            let field = "Version";
            let [major, minor] = [version, version + 1].map(|at| self.layout.take(field, at, 1));
            let (major, minor) = (major?, minor?);
            let build = self.layout.u16(field, version + 2)?;
            let value = format!(
                "{}.{}.{build}",
                major.first().copied().unwrap_or_default(),
                minor.first().copied().unwrap_or_default()
            );
            self.table.value(self.at(0, version, 8), field, value, "of the sender's system; decides nothing");
        }
        let mic = AuthenticateMessage::MIC_RANGE;
        if self.kind == MessageType::AUTHENTICATE && begins >= mic.end {
            let bytes = self.layout.take("MIC", mic.start, mic.len())?;
            let meaning = "over all three messages, if MsvAvFlags says that there is one";
            self.table.secret(self.at(0, mic.start, mic.len()), "MIC", bytes, meaning);
        }
        Ok(())
    }

    /// What the fields point to, in the order in which it lies.
    fn contents(&mut self, pointers: &[Pointer]) -> Result<(), Wrong> {
        let mut found = Vec::new();
        for pointer in pointers.iter().filter(|pointer| self.has(pointer)) {
            let (len, offset) = self.target(pointer)?;
            let is_supplied = match (self.kind, pointer.name) {
                (MessageType::NEGOTIATE, "DomainName") => {
                    self.flags.contains(NegotiateFlags::NEGOTIATE_OEM_DOMAIN_SUPPLIED)
                }
                (MessageType::NEGOTIATE, _) => {
                    self.flags.contains(NegotiateFlags::NEGOTIATE_OEM_WORKSTATION_SUPPLIED)
                }
                _ => true,
            };
            if len > 0 && is_supplied {
                found.push((offset, len, pointer));
            }
        }
        found.sort_by_key(|(offset, ..)| *offset);
        let secret = |(offset, len, pointer): &(usize, usize, &Pointer)| match pointer.holds {
            Holds::Secret => Some((*offset, *len)),
            Holds::NtResponse if *len <= NtlmV2Response::V1_LEN => Some((*offset, *len)),
            Holds::NtResponse => Some((*offset, PROOF_LEN)),
            Holds::Text { .. } | Holds::TargetInfo => None,
        };
        let base = self.layout.base;
        let secrets = found.iter().filter_map(secret);
        self.secrets.extend(secrets.map(|(offset, len)| (base.saturating_add(offset), len)));
        for (offset, len, pointer) in found {
            let bytes = self.layout.bytes.get(offset..offset.saturating_add(len)).ok_or_else(|| {
                let what = format!("it points to {len} bytes at {offset}, of {}", self.layout.bytes.len());
                Wrong::new(self.layout.base + pointer.at, pointer.name, what)
            })?;
            self.content(pointer, offset, bytes)?;
        }
        Ok(())
    }

    fn content(&mut self, pointer: &Pointer, offset: usize, bytes: &'a [u8]) -> Result<(), Wrong> {
        let (at, name, meaning) = (self.at(0, offset, bytes.len()), pointer.name, pointer.meaning);
        match pointer.holds {
            Holds::Text { is_oem } => {
                let is_unicode = !is_oem && self.flags.contains(NegotiateFlags::NEGOTIATE_UNICODE);
                match text(name, bytes, is_unicode) {
                    Ok(text) => self.table.text(at, name, &text, meaning),
                    Err(_) => self.table.bytes(at, name, bytes, "no text of the encoding that the flags say"),
                }
            }
            Holds::Secret => self.table.secret(at, name, bytes, meaning),
            Holds::TargetInfo => {
                self.table.summary(at, name, bytes.len(), meaning);
                self.av_pairs(bytes, offset, 1)?;
            }
            Holds::NtResponse if bytes.len() <= NtlmV2Response::V1_LEN => {
                self.table.secret(at, name, bytes, "proof of the password, of version 1");
            }
            Holds::NtResponse => {
                self.table.summary(at, name, bytes.len(), "proof of the password, version 2");
                self.version_2(bytes, offset)?;
            }
        }
        Ok(())
    }

    fn version_2(&mut self, bytes: &'a [u8], offset: usize) -> Result<(), Wrong> {
        let layout = Layout { bytes, base: self.layout.base + offset };
        let proof = layout.take("NTProofStr", 0, PROOF_LEN)?;
        let meaning = "HMAC of the challenge and of what follows";
        self.table.secret(self.at(1, offset, PROOF_LEN), "NTProofStr", proof, meaning);
        let types = layout.u16("RespType", 16)?;
        self.table.value(self.at(1, offset + 16, 2), "RespType", format_args!("{types:#06x}"), "1 and 1");
        if types != 0x0101 {
            return Err(Wrong::new(layout.base + 16, "RespType", "there is only the type 1"));
        }
        let time = layout.u64("TimeStamp", 24)?;
        let meaning = "the client's time, or the server's where that said it";
        self.table.value(self.at(1, offset + 24, 8), "TimeStamp", file_time(time), meaning);
        let challenge = layout.take("ChallengeFromClient", 32, 8)?;
        self.table.bytes(self.at(1, offset + 32, 8), "ChallengeFromClient", challenge, "random");
        let pairs = bytes.get(44..).unwrap_or_default();
        self.av_pairs(pairs, offset + 44, 1)
    }

    fn av_pairs(&mut self, bytes: &'a [u8], offset: usize, depth: usize) -> Result<(), Wrong> {
        let layout = Layout { bytes, base: self.layout.base + offset };
        let mut at = 0;
        loop {
            let id = AvId(layout.u16("AV_PAIR.AvId", at)?);
            let len = usize::from(layout.u16("AV_PAIR.AvLen", at + 2)?);
            let value = layout.take("AV_PAIR.Value", at + 4, len)?;
            let place = self.at(depth, offset + at, len + 4);
            self.av_pair(place, id, value);
            at += 4 + len;
            if id == AvId::EOL {
                return Ok(());
            }
        }
    }

    fn av_pair(&mut self, at: At, id: AvId, value: &[u8]) {
        let number = format!("AvId {}", id.0);
        let name = id.name().unwrap_or(&number);
        let meaning = match id {
            AvId::EOL => "the end of the list",
            AvId::NB_COMPUTER_NAME => "the server's NetBIOS name",
            AvId::NB_DOMAIN_NAME => "the NetBIOS name of its domain",
            AvId::DNS_COMPUTER_NAME => "the server's DNS name",
            AvId::DNS_DOMAIN_NAME => "the DNS name of its domain",
            AvId::DNS_TREE_NAME => "the DNS name of its forest",
            AvId::TIMESTAMP => "the server's time: a client that sees it sends a MIC",
            AvId::SINGLE_HOST => "what the client's machine is known by to itself",
            AvId::TARGET_NAME => "the service that the client wants to talk to",
            AvId::CHANNEL_BINDINGS if value.iter().all(|byte| *byte == 0) => {
                "the client has no channel bindings"
            }
            AvId::CHANNEL_BINDINGS => "MD5 of the channel bindings",
            AvId::FLAGS => "what the client says of its answer",
            _ => "",
        };
        let number = |value: &[u8]| value.iter().rev().fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
        match (id, value.len()) {
            (AvId::FLAGS, 4) => {
                let flags = AvFlags(u32::try_from(number(value)).unwrap_or_default());
                self.table.value(at, name, format_args!("{:#x}", flags.0), meaning);
                for (flag, text) in [
                    (AvFlags::CONSTRAINED, "the account is constrained"),
                    (AvFlags::MIC, "there is a MIC"),
                    (
                        AvFlags::UNTRUSTED_TARGET_NAME,
                        "the target's name is from a source that is not trusted",
                    ),
                ] {
                    if flags.contains(flag) {
                        self.table.note(at.depth + 1, &format!("{:#x}", flag.0), text);
                    }
                }
            }
            (AvId::TIMESTAMP, 8) => self.table.value(at, name, file_time(number(value)), meaning),
            _ if id.is_text() => match text("AV_PAIR.Value", value, true) {
                Ok(text) => self.table.text(at, name, &text, meaning),
                Err(_) => self.table.bytes(at, name, value, "no text in UTF-16"),
            },
            _ => self.table.bytes(at, name, value, meaning),
        }
    }
}

/// A `FILETIME` as date and time.
fn file_time(time: u64) -> String {
    /// From 1601 to 1970, in seconds.
    const EPOCH: u64 = 11_644_473_600;
    let seconds = (time / 10_000_000).checked_sub(EPOCH).map(Duration::from_secs);
    // Later than the year 9999 is no time, but a number.
    let since = seconds.filter(|seconds| seconds.as_secs() < 253_402_300_800);
    match since.and_then(|since| UNIX_EPOCH.checked_add(since).zip(Some(since.as_secs() % 86_400))) {
        Some((at, of_day)) => {
            format!("{} {:02}:{:02}:{:02} UTC", date(at), of_day / 3600, of_day / 60 % 60, of_day % 60)
        }
        None => format!("{time} (100 ns since 1601)"),
    }
}
