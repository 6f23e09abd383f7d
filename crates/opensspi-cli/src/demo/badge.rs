//! Badge: both ends know a word, and one token proves it. **The arithmetic here is not cryptography.**
use opensspi::sspi_core::*;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 8] {
    let mut hasher = DefaultHasher::new(); // stands for HMAC
    (key, parts).hash(&mut hasher);
    hasher.finish().to_be_bytes()
}
/// The word, and where bytes come from that nobody has seen before.
pub(crate) struct Badge { pub(crate) word: &'static [u8], pub(crate) nonce: fn() -> [u8; 8] }

impl Badge {
    pub(crate) fn package(self) -> SimplePackage<Self> {
        let capabilities = SecPkgFlags::INTEGRITY | SecPkgFlags::PRIVACY | SecPkgFlags::CONNECTION;
        let oids = Oid::from_dotted("2.999.60").into_iter().collect(); // 2.999 is for examples
        SimplePackage::new(PackageInfo { oids, ..PackageInfo::new("Badge", capabilities) }, self)
    }
}
fn context(info: &PackageInfo, word: &[u8], nonce: &[u8], flags: ContextFlags) -> Box<dyn SecurityContext> {
    let keys = |from: &[u8]| Keys { key: mac(word, &[nonce, from]), number: 0 };
    let (info, initiator, acceptor) = (info.clone(), keys(b"initiator"), keys(b"acceptor"));
    MessageContext { info, flags, token_len: 8, account: None, initiator, acceptor }.boxed()
}
impl Handshakes for Badge {
    fn initialize(&self, info: &PackageInfo, _: &AuthData, _: &InitializeRequest) -> Result<Steps, Error> {
        let (info, word, nonce) = (info.clone(), self.word, (self.nonce)());
        let flags = ContextFlags::Initiator(IscRet::INTEGRITY | IscRet::CONFIDENTIALITY);
        Ok(Box::new(move |_| {
            let token = [nonce, mac(word, &[&nonce])].concat();
            Ok(Step::Complete { context: context(&info, word, &nonce, flags), token, used: 0 })
        }))
    }
    fn accept(&self, info: &PackageInfo, _: &AuthData, _: &AcceptRequest) -> Result<Steps, Error> {
        let (info, word) = (info.clone(), self.word);
        let flags = ContextFlags::Acceptor(AscRet::INTEGRITY | AscRet::CONFIDENTIALITY);
        Ok(Box::new(move |input| {
            let Some((nonce, proof)) = input.get(..16).map(|token| token.split_at(8)) else {
                return Ok(Step::Incomplete { missing: Some(16 - input.len()) });
            };
            if proof != mac(word, &[nonce]) { // a real one compares in constant time
                return Err(Error::new(SecStatus::SEC_E_LOGON_DENIED, Fault::Refused, "the client knows another word"));
            }
            Ok(Step::Complete { context: context(&info, word, nonce, flags), token: Vec::new(), used: 16 })
        }))
    }
}
struct Keys { key: [u8; 8], number: u64 }

impl MessageKeys for Keys {
    fn token(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.number += 1;
        Ok(mac(&self.key, &[&self.number.to_be_bytes(), plaintext]).to_vec())
    }
    fn apply_key_stream(&self, token: &[u8], data: &mut [u8]) {
        let stream = |block: u64| mac(&self.key, &[b"stream", token, &block.to_be_bytes()]);
        data.iter_mut().zip((0..).flat_map(stream)).for_each(|(byte, stream)| *byte ^= stream);
    }
}
