//! The MIC over the list of mechanisms, made and checked with the context that came of the chosen one.
//!
//! Spec: SPNEGO section 5.

use sspi_core::{
    AscRet, ContextFlags, IscRet, QualityOfProtection, SecBuffer, SecBufferType, SecurityContext,
};

use crate::status::Error;

/// Whether the list is signed, where that is wanted.
///
/// # Errors
/// The context cannot sign. Whether it can is negotiated in messages that somebody in between may have written, so that this
/// is no reason to do without, unless it `may_lack` signatures: the caller or the package has none.
pub(crate) const fn must_sign(can_sign: bool, is_wanted: bool, may_lack: bool) -> Result<bool, Error> {
    if is_wanted && !can_sign && !may_lack { Err(Error::NoMic) } else { Ok(is_wanted && can_sign) }
}

/// Whether the context can sign.
pub(crate) fn can_sign(context: &dyn SecurityContext) -> bool {
    match context.attributes().flags() {
        ContextFlags::Initiator(flags) => flags.contains(IscRet::INTEGRITY),
        ContextFlags::Acceptor(flags) => flags.contains(AscRet::INTEGRITY),
    }
}

/// The MIC that this end sends over `list`, which is in DER.
///
/// # Errors
/// The package cannot make one.
pub(crate) fn make(context: &mut dyn SecurityContext, list: &[u8]) -> Result<Vec<u8>, Error> {
    let room = context.attributes().sizes().map_err(Error::Mechanism)?.max_signature;
    let mut memory = Vec::with_capacity(room.saturating_add(list.len()));
    memory.resize(room, 0);
    memory.extend_from_slice(list);
    let mut buffers = [
        SecBuffer::new(SecBufferType::TOKEN, 0..room),
        SecBuffer::new(SecBufferType::DATA, room..memory.len()),
    ];
    context
        .make_signature(QualityOfProtection::Default, &mut memory, &mut buffers)
        .map_err(Error::Mechanism)?;
    let [token, _] = buffers;
    memory.truncate(token.range().end);
    memory.drain(..token.range().start.min(memory.len()));
    Ok(memory)
}

/// Checks the MIC that the other end sent over `list`, which is in DER.
///
/// # Errors
/// It is over another list, or not the other end's.
pub(crate) fn check(context: &mut dyn SecurityContext, list: &[u8], mic: &[u8]) -> Result<(), Error> {
    let len = mic.len().saturating_add(list.len());
    let mut short = [0; SHORT];
    let long;
    let memory = match short.get_mut(..len) {
        Some(memory) => {
            let (front, behind) = memory.split_at_mut(mic.len());
            front.copy_from_slice(mic);
            behind.copy_from_slice(list);
            &*memory
        }
        None => {
            long = [mic, list].concat();
            &long[..]
        }
    };
    let buffers = [
        SecBuffer::new(SecBufferType::TOKEN, 0..mic.len()),
        SecBuffer::new(SecBufferType::DATA, mic.len()..len),
    ];
    context.verify_signature(memory, &buffers).map_err(Error::WrongMic)?;
    Ok(())
}

/// So many bytes, which most lists and their MICs have together, take no memory of their own.
const SHORT: usize = 128;
