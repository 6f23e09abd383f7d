//! `ExportSecurityContext` and `ImportSecurityContext`: a context as bytes, for another process. They hold its keys.
//!
//! ```text
//! version           1   1
//! role              1   0 client · 1 server
//! context flags     8
//! negotiate flags   4
//! session key      16
//! start             8   nanoseconds since 1970
//! client · server       2 + …   UTF-8
//! target · account      1 + …   0, or 1 and what there is
//! version 1         1
//! sending           8 + 258   number and stream, where messages are protected
//! receiving         8 + 258
//! ```

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crypto::cipher::Rc4State;
use sspi_core::{
    Account, AscRet, Error, ExportedContext, Fault, IscRet, PackageInfo, SecStatus, Secret, SecurityContext,
};
use wire::{DecodeError, EncodeError, Reader, Writer};
use zeroize::Zeroizing;

use crate::attributes::{Attributes, Established, Role};
use crate::context::{Context, established};
use crate::messages::NegotiateFlags;
use crate::package::NAME;
use crate::seal::Direction;
use crate::status;

const VERSION: u8 = 1;

/// Enough for what there is, so that no copy is left behind by a vector that grows.
const CAPACITY: usize = 64 * 1024;

pub(crate) fn export(context: &Context) -> Result<ExportedContext, status::Error> {
    let mut writer = Writer::with_capacity(CAPACITY);
    let known = &context.shared.attributes.established;
    writer.u8(VERSION);
    let (role, flags) = match known.role {
        Role::Client(IscRet(flags)) => (0, flags),
        Role::Server(AscRet(flags)) => (1, flags),
    };
    writer.u8(role);
    writer.u64(flags);
    writer.u32(known.flags.0);
    writer.bytes(known.exported.as_slice());
    let since = known.start.duration_since(UNIX_EPOCH).unwrap_or_default();
    writer.u64(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    writer.opaque_u16("client", known.client.as_bytes())?;
    writer.opaque_u16("server", known.server.as_bytes())?;
    optional(&mut writer, "target", known.target.as_deref())?;
    writer.u8(u8::from(known.account.is_some()));
    if let Some(account) = &known.account {
        writer.opaque_u16("account", account.name.as_bytes())?;
        writer.opaque_u16("account", account.matched_by.as_bytes())?;
        for part in [&account.domain, &account.upn, &account.distinguished_name, &account.sid] {
            optional(&mut writer, "account", part.as_deref())?;
        }
    }
    writer.u8(u8::from(known.is_version_1));
    for direction in [&context.sender.direction, &context.receiver.direction] {
        if let Some((number, state)) = direction.export()? {
            writer.u64(number);
            writer.bytes(state.as_bytes());
        }
    }
    Ok(ExportedContext { package: NAME.to_owned(), content: Secret::new(writer.into_vec()) })
}

fn optional(writer: &mut Writer, field: &'static str, text: Option<&str>) -> Result<(), EncodeError> {
    writer.u8(u8::from(text.is_some()));
    text.map_or(Ok(()), |text| writer.opaque_u16(field, text.as_bytes()))
}

pub(crate) fn import(
    info: &Arc<PackageInfo>,
    exported: &ExportedContext,
) -> Result<Box<dyn SecurityContext>, Error> {
    let wrong = |message: String| Error::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::ApiMisuse, message);
    if exported.package != NAME {
        return Err(wrong(format!("the context is one of the package {:?}", exported.package)));
    }
    let mut reader = Reader::new(exported.content.expose_secret());
    let read = |error: DecodeError| wrong(format!("the exported context cannot be read: {error}"));
    let known = read_established(&mut reader).map_err(read)?;
    let mut context = established(false, Attributes::new(info, known))?;
    for direction in [&mut context.sender.direction, &mut context.receiver.direction] {
        if !matches!(direction, Direction::Unprotected) {
            let (number, state) = read_direction(&mut reader).map_err(read)?;
            direction.import(number, &state)?;
        }
    }
    reader.finish("context").map_err(read)?;
    Ok(Box::new(context))
}

fn read_direction(reader: &mut Reader<'_>) -> Result<(u64, Rc4State), DecodeError> {
    let number = reader.u64("number")?;
    let state = Zeroizing::new(reader.array("stream")?);
    Ok((number, Rc4State::from_bytes(*state).ok_or(DecodeError::illegal("stream"))?))
}

fn read_established(reader: &mut Reader<'_>) -> Result<Established, DecodeError> {
    if reader.u8("version")? != VERSION {
        return Err(DecodeError::illegal("version"));
    }
    let role = reader.u8("role")?;
    let flags = reader.u64("flags")?;
    let role = match role {
        0 => Role::Client(IscRet(flags)),
        1 => Role::Server(AscRet(flags)),
        _ => return Err(DecodeError::illegal("role")),
    };
    Ok(Established {
        role,
        flags: NegotiateFlags(reader.u32("flags")?),
        exported: Zeroizing::new(reader.array("session key")?),
        start: UNIX_EPOCH + Duration::from_nanos(reader.u64("start")?),
        client: read_text(reader, "client")?,
        server: read_text(reader, "server")?,
        target: read_optional(reader, "target")?,
        account: read_account(reader)?,
        is_version_1: read_bool(reader, "version 1")?,
    })
}

fn read_bool(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    match reader.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::illegal(field)),
    }
}

fn read_text(reader: &mut Reader<'_>, field: &'static str) -> Result<String, DecodeError> {
    let bytes = reader.opaque_u16(field)?;
    str::from_utf8(bytes).map(str::to_owned).map_err(|_| DecodeError::illegal(field))
}

fn read_optional(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<String>, DecodeError> {
    if read_bool(reader, field)? { read_text(reader, field).map(Some) } else { Ok(None) }
}

fn read_account(reader: &mut Reader<'_>) -> Result<Option<Account>, DecodeError> {
    if !read_bool(reader, "account")? {
        return Ok(None);
    }
    Ok(Some(Account {
        name: read_text(reader, "account")?,
        matched_by: read_text(reader, "account")?,
        domain: read_optional(reader, "account")?,
        upn: read_optional(reader, "account")?,
        distinguished_name: read_optional(reader, "account")?,
        sid: read_optional(reader, "account")?,
    }))
}
