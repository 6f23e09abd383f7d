//! A context whose messages are a token in front of their data, so that a package of that shape writes no buffers itself.

use core::marker::PhantomData;
use core::ops::Range;
use std::sync::Arc;

use crate::context::no_account;
use crate::{
    Account, ContextFlags, Decrypted, Error, Fault, PackageInfo, PairedContext, QualityOfProtection,
    QueryContextAttributes, ReceivingHalf, SecBuffer, SecBufferType, SecStatus, SecurityContext, SendingHalf,
    SharedPart, Sizes,
};

/// The keys of one direction, which protects one message after the other: what a package says for a [`MessageContext`].
///
/// A message's token is a MAC over the plaintext, and what the message is encrypted with comes of the token: the composition
/// of RFC 5297, in which no nonce can be used twice by mistake. A package that has another writes its own halves.
pub trait MessageKeys: Send + 'static {
    /// The token of the next message: a MAC over how many there were before, and the plaintext. Called once for each message,
    /// in both directions; whoever calls compares in constant time.
    ///
    /// # Errors
    /// The keys are used up, and so is the direction.
    fn token(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, Error>;

    /// Encrypts, or decrypts, the message that has this token: XOR with a key stream that the token and another key make.
    fn apply_key_stream(&self, token: &[u8], data: &mut [u8]);
}

/// A context of a message package, once its handshake is over: what was negotiated, and a key for each direction.
///
/// ```
/// # use sspi_core::*;
/// # fn complete<K: MessageKeys>(info: &PackageInfo, [initiator, acceptor]: [K; 2], token: Vec<u8>, used: usize) -> Step {
/// let flags = ContextFlags::Initiator(IscRet::REPLAY_DETECT | IscRet::INTEGRITY | IscRet::CONFIDENTIALITY);
/// let context = MessageContext { info: info.clone(), flags, token_len: 16, account: None, initiator, acceptor };
/// Step::Complete { context: context.boxed(), token, used }
/// # }
/// ```
#[derive(Debug)]
pub struct MessageContext<K> {
    /// The package.
    pub info: PackageInfo,
    /// The flags that the context has, and with them its role.
    pub flags: ContextFlags,
    /// Bytes of a message's token, signed or encrypted.
    pub token_len: usize,
    /// The account that the peer maps to.
    pub account: Option<Account>,
    /// The keys of what the initiator sends.
    pub initiator: K,
    /// The keys of what the acceptor sends.
    pub acceptor: K,
}

impl<K: MessageKeys> MessageContext<K> {
    /// The context, as [`Step::Complete`](crate::Step::Complete) has it. It can be split, and cannot be negotiated again.
    #[must_use]
    pub fn boxed(self) -> Box<dyn SecurityContext> {
        let Self { info, flags, token_len, account, initiator, acceptor } = self;
        let (sender, receiver) = match flags {
            ContextFlags::Initiator(_) => (initiator, acceptor),
            ContextFlags::Acceptor(_) => (acceptor, initiator),
        };
        Box::new(PairedContext {
            sender: Half { keys: sender, token_len, failed: None },
            receiver: Half { keys: receiver, token_len, failed: None },
            shared: Session {
                attributes: Arc::new(Attributes { info, flags, token_len }),
                account,
                halves: PhantomData,
            },
        })
    }
}

struct Attributes {
    info: PackageInfo,
    flags: ContextFlags,
    token_len: usize,
}

impl QueryContextAttributes for Attributes {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn flags(&self) -> ContextFlags {
        self.flags
    }

    fn sizes(&self) -> Result<Sizes, Error> {
        Ok(Sizes {
            max_token: usize::try_from(self.info.max_token).unwrap_or(usize::MAX),
            max_signature: self.token_len,
            block_size: 1,
            security_trailer: self.token_len,
        })
    }
}

struct Session<K> {
    attributes: Arc<Attributes>,
    account: Option<Account>,
    halves: PhantomData<fn() -> K>,
}

impl<K: MessageKeys> SharedPart for Session<K> {
    type Sender = Half<K>;
    type Receiver = Half<K>;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(&self.attributes) as _
    }

    fn security_context_token(&self) -> Result<Account, Error> {
        self.account.clone().ok_or_else(|| no_account(&*self.attributes))
    }
}

/// One direction.
struct Half<K> {
    keys: K,
    token_len: usize,
    /// What ended it.
    failed: Option<Error>,
}

/// Where a message's token and data lie.
struct Place {
    token: Range<usize>,
    data: Range<usize>,
}

impl<K: MessageKeys> Half<K> {
    /// One token and one data buffer, neither in the other; padding is not needed.
    fn place(&self, memory: &[u8], buffers: &[SecBuffer]) -> Result<Place, Error> {
        const WRONG: &str = "one token of the package's length, and one buffer of data";
        let of = |kind| buffers.iter().filter(move |buffer| buffer.buffer_type.kind() == kind);
        let (token, data) =
            (SecBuffer::find(buffers, SecBufferType::TOKEN)?, SecBuffer::find(buffers, SecBufferType::DATA)?);
        let is_read_only = of(SecBufferType::DATA).any(|buffer| buffer.buffer_type != SecBufferType::DATA);
        let is_one_each =
            of(SecBufferType::TOKEN).count() == 1 && of(SecBufferType::DATA).count() == 1 && !is_read_only;
        let is_inside = token.end.max(data.end) <= memory.len();
        let is_apart = token.end <= data.start || data.end <= token.start;
        if !is_one_each || !is_inside || !is_apart || token.len() != self.token_len {
            return Err(Error::invalid_buffers(WRONG));
        }
        Ok(Place { token, data })
    }

    /// The token of the next message.
    fn token(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let wrong = |token: &Vec<u8>| {
            let what = "the package made a token of another length than it says";
            (token.len() != self.token_len)
                .then(|| Error::new(SecStatus::SEC_E_INTERNAL_ERROR, Fault::Internal, what))
        };
        let token = self.keys.token(plaintext);
        let token = token.and_then(|token| wrong(&token).map_or(Ok(token), Err));
        token.inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Whether the next message has this token.
    fn check(&mut self, token: &[u8], plaintext: &[u8]) -> Result<(), Error> {
        let expected = self.token(plaintext)?;
        if is_same(&expected, token) {
            return Ok(());
        }
        let what = "a message does not authenticate: it was altered, repeated or lost on its way";
        let error = Error::new(SecStatus::SEC_E_MESSAGE_ALTERED, Fault::PeerMisbehaved, what);
        Err(self.failed.insert(error).clone())
    }
}

/// Compares without telling by its time where the two differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |all, (a, b)| core::hint::black_box(all | (a ^ b)));
    one.len() == other.len() && differs == 0
}

impl<K: MessageKeys> SendingHalf for Half<K> {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        if quality != QualityOfProtection::Default {
            let what = "a message that is encrypted, or one that is signed: there is nothing between";
            return Err(Error::new(SecStatus::SEC_E_QOP_NOT_SUPPORTED, Fault::ApiMisuse, what));
        }
        let place = self.place(memory, buffers)?;
        let data = memory.get_mut(place.data).unwrap_or_default();
        let token = self.token(data)?;
        self.keys.apply_key_stream(&token, data);
        for padding in buffers.iter_mut().filter(|b| b.buffer_type.kind() == SecBufferType::PADDING) {
            padding.len = 0;
        }
        memory.get_mut(place.token).unwrap_or_default().copy_from_slice(&token);
        Ok(())
    }

    fn make_signature(
        &mut self,
        _: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        let place = self.place(memory, buffers)?;
        let token = self.token(memory.get(place.data).unwrap_or_default())?;
        memory.get_mut(place.token).unwrap_or_default().copy_from_slice(&token);
        Ok(())
    }
}

impl<K: MessageKeys> ReceivingHalf for Half<K> {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        let whole = SecBuffer::find(buffers, SecBufferType::STREAM)?;
        let data = buffers.iter_mut().find(|buffer| buffer.buffer_type.kind() == SecBufferType::DATA);
        let message = memory.get_mut(whole.clone()).and_then(|m| m.split_at_mut_checked(self.token_len));
        let (Some(data), Some((token, text))) = (data, message) else {
            return Err(Error::invalid_buffers(
                "a stream buffer over the message, which has a token, and an empty buffer for its data",
            ));
        };
        self.keys.apply_key_stream(token, text);
        // What does not authenticate is nobody's plaintext.
        self.check(token, text).inspect_err(|_| text.fill(0))?;
        *data = SecBuffer::new(SecBufferType::DATA, whole.start + self.token_len..whole.end);
        Ok(Decrypted::Message)
    }

    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        let place = self.place(memory, buffers)?;
        let token = memory.get(place.token).unwrap_or_default();
        let data = memory.get(place.data).unwrap_or_default();
        self.check(token, data)?;
        Ok(QualityOfProtection::Default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IscRet, SecPkgFlags};

    /// Counts messages, and adds them up.
    struct Sum {
        number: u8,
        token_len: usize,
    }

    impl MessageKeys for Sum {
        fn token(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
            self.number += 1;
            let sum = plaintext.iter().fold(self.number, |sum, byte| sum.wrapping_add(*byte));
            Ok(vec![sum; self.token_len])
        }

        fn apply_key_stream(&self, token: &[u8], data: &mut [u8]) {
            data.iter_mut().for_each(|byte| *byte ^= token[0] | 0x80);
        }
    }

    /// Both ends of a context whose tokens have two bytes; those of the initiator `made_len`.
    fn pair(made_len: usize) -> [Box<dyn SecurityContext>; 2] {
        let flags =
            [ContextFlags::Initiator(IscRet::INTEGRITY), ContextFlags::Acceptor(crate::AscRet::INTEGRITY)];
        flags.map(|flags| {
            let info = PackageInfo::new("Sum", SecPkgFlags::INTEGRITY);
            let keys = |token_len| Sum { number: 0, token_len };
            let (initiator, acceptor) = (keys(made_len), keys(2));
            MessageContext { info, flags, token_len: 2, account: None, initiator, acceptor }.boxed()
        })
    }

    const TOKEN: SecBufferType = SecBufferType::TOKEN;
    const DATA: SecBufferType = SecBufferType::DATA;
    const STREAM: SecBufferType = SecBufferType::STREAM;

    fn buffers<const N: usize>(of: [(SecBufferType, Range<usize>); N]) -> [SecBuffer; N] {
        of.map(|(kind, range)| SecBuffer::new(kind, range))
    }

    #[test]
    fn messages_go_both_ways_each_with_its_own_keys() {
        let [mut one, mut other] = pair(2);
        for _ in 0..3 {
            for _ in 0..2 {
                let mut memory = *b"..text";
                let mut sent = buffers([(TOKEN, 0..2), (DATA, 2..6), (SecBufferType::PADDING, 6..6)]);
                one.encrypt_message(QualityOfProtection::Default, &mut memory, &mut sent).unwrap();
                assert_ne!(&memory[2..], b"text");
                let mut got = buffers([(STREAM, 0..6), (DATA, 0..0)]);
                assert_eq!(other.decrypt_message(&mut memory, &mut got).unwrap(), Decrypted::Message);
                assert_eq!((&memory[got[1].range()], got[1].range()), (&b"text"[..], 2..6));
                std::mem::swap(&mut one, &mut other);
            }
            let mut memory = *b"..text";
            let mut signed = buffers([(TOKEN, 0..2), (DATA, 2..6)]);
            one.make_signature(QualityOfProtection::Default, &mut memory, &mut signed).unwrap();
            assert_eq!(&memory[2..], b"text");
            other.verify_signature(&memory, &signed).unwrap();
        }
    }

    #[test]
    fn a_message_that_is_altered_or_comes_again_ends_the_context_and_shows_no_plaintext() {
        for alter in 0..7 {
            let [mut one, mut other] = pair(2);
            let mut memory = *b"..text";
            one.encrypt_message(
                QualityOfProtection::Default,
                &mut memory,
                &mut buffers([(TOKEN, 0..2), (DATA, 2..6)]),
            )
            .unwrap();
            let good = memory;
            let mut first = good;
            if let Some(byte) = first.get_mut(alter) {
                *byte ^= 1;
            } else {
                other.decrypt_message(&mut first, &mut buffers([(STREAM, 0..6), (DATA, 0..0)])).unwrap();
                first = good;
            }
            let mut refused = || {
                let error = other.decrypt_message(&mut first, &mut buffers([(STREAM, 0..6), (DATA, 0..0)]));
                (error.unwrap_err().status(), first)
            };
            let (status, left) = refused();
            assert_eq!((status, &left[2..]), (SecStatus::SEC_E_MESSAGE_ALTERED, &[0; 4][..]), "{alter}");
            let mut good = good;
            let after = other.decrypt_message(&mut good, &mut buffers([(STREAM, 0..6), (DATA, 0..0)]));
            assert_eq!(after.unwrap_err().status(), SecStatus::SEC_E_MESSAGE_ALTERED, "it is over");
        }
    }

    #[test]
    fn wrong_buffers_are_refused_and_harm_nothing() {
        let [mut one, mut other] = pair(2);
        let read_only = DATA.with(SecBufferType::READONLY);
        for wrong in [
            buffers([(TOKEN, 0..1), (DATA, 1..6)]),
            buffers([(TOKEN, 0..3), (DATA, 3..6)]),
            buffers([(TOKEN, 0..2), (DATA, 1..6)]),
            buffers([(TOKEN, 0..2), (DATA, 2..7)]),
            buffers([(TOKEN, 5..7), (DATA, 0..4)]),
            buffers([(TOKEN, 0..2), (read_only, 2..6)]),
            buffers([(TOKEN, 0..2), (TOKEN, 2..4)]),
            buffers([(DATA, 0..2), (DATA, 2..6)]),
        ] {
            let mut memory = *b"..text";
            let result = one.encrypt_message(QualityOfProtection::Default, &mut memory, &mut wrong.clone());
            assert_eq!(result.unwrap_err().status(), SecStatus::SEC_E_INVALID_TOKEN, "{wrong:?}");
            assert_eq!(&memory, b"..text");
        }
        let mut three = buffers([(TOKEN, 0..2), (DATA, 2..4), (DATA, 4..6)]);
        let mut memory = *b"..text";
        assert!(one.make_signature(QualityOfProtection::Default, &mut memory, &mut three).is_err());
        let no_encryption = QualityOfProtection::WrapNoEncrypt;
        let result =
            one.encrypt_message(no_encryption, &mut memory, &mut buffers([(TOKEN, 0..2), (DATA, 2..6)]));
        assert_eq!(result.unwrap_err().status(), SecStatus::SEC_E_QOP_NOT_SUPPORTED);
        for wrong in [buffers([(STREAM, 0..7), (DATA, 0..0)]), buffers([(STREAM, 0..1), (DATA, 0..0)])] {
            let error = other.decrypt_message(&mut memory, &mut wrong.clone()).unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN);
        }
        one.encrypt_message(
            QualityOfProtection::Default,
            &mut memory,
            &mut buffers([(TOKEN, 0..2), (DATA, 2..6)]),
        )
        .unwrap();
        other.decrypt_message(&mut memory, &mut buffers([(STREAM, 0..6), (DATA, 0..0)])).unwrap();
    }

    #[test]
    fn a_token_of_another_length_than_is_said_is_the_packages_fault() {
        let [mut one, _] = pair(3);
        let mut memory = *b"..text";
        let result = one.encrypt_message(
            QualityOfProtection::Default,
            &mut memory,
            &mut buffers([(TOKEN, 0..2), (DATA, 2..6)]),
        );
        assert_eq!(result.unwrap_err().status(), SecStatus::SEC_E_INTERNAL_ERROR);
        assert_eq!(&memory, b"..text");
    }

    #[test]
    fn the_context_can_be_split_and_says_what_it_has() {
        let [one, other] = pair(2);
        assert_eq!(one.attributes().sizes().unwrap().security_trailer, 2);
        assert_eq!(one.security_context_token().unwrap_err().status(), SecStatus::SEC_E_NO_IMPERSONATION);
        let (mut sender, mut receiver) = (one.split().unwrap().sender, other.split().unwrap().receiver);
        let mut memory = *b"..text";
        let mut sent = buffers([(TOKEN, 0..2), (DATA, 2..6)]);
        sender.encrypt_message(QualityOfProtection::Default, &mut memory, &mut sent).unwrap();
        receiver.decrypt_message(&mut memory, &mut buffers([(STREAM, 0..6), (DATA, 0..0)])).unwrap();
    }
}
