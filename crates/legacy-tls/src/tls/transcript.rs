//! The handshake messages so far, and their hash.

use crypto::hash::{Hash, HashContext};

/// What hash of the messages a version goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TranscriptHash {
    /// MD5 and SHA-1, one behind the other. Spec: SSL30 section 5.6.9; TLS10 section 7.4.9.
    Md5AndSha1,
    /// That of the suite. Spec: TLS12 section 7.4.9.
    Of(Hash),
}

/// All messages of a handshake as they were sent, headers included; HelloRequest is none of them.
///
/// Which hash they go into is known from the ServerHello on; until then they are kept. A signature of TLS 1.2 chooses its
/// own hash, so where one may come they are kept longer.
#[derive(Default)]
pub(crate) struct Transcript {
    messages: Vec<u8>,
    running: Option<Running>,
    released: bool,
}

#[expect(clippy::large_enum_variant, reason = "there is one for each handshake, and it is not moved")]
enum Running {
    Md5AndSha1 { md5: HashContext, sha1: HashContext },
    One(HashContext),
}

/// The hash of a transcript: 32, 36 or 48 bytes.
pub(crate) struct TranscriptDigest {
    bytes: [u8; 64],
    len: usize,
}

impl TranscriptDigest {
    fn new(parts: &[&[u8]]) -> Self {
        let mut digest = Self { bytes: [0; 64], len: 0 };
        let all = parts.iter().flat_map(|part| part.iter());
        for (to, from) in digest.bytes.iter_mut().zip(all) {
            *to = *from;
            digest.len += 1;
        }
        digest
    }
}

impl AsRef<[u8]> for TranscriptDigest {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Transcript {
    /// Appends a message.
    pub(crate) fn add(&mut self, message: &[u8]) {
        match &mut self.running {
            Some(Running::Md5AndSha1 { md5, sha1 }) => {
                md5.update(message);
                sha1.update(message);
            }
            Some(Running::One(hash)) => hash.update(message),
            None => {}
        }
        if !self.released {
            self.messages.extend_from_slice(message);
        }
    }

    /// From here on the hash is known.
    pub(crate) fn choose(&mut self, hash: TranscriptHash) {
        let over = |hash: Hash| {
            let mut context = hash.context();
            context.update(&self.messages);
            context
        };
        self.running = Some(match hash {
            TranscriptHash::Md5AndSha1 => {
                Running::Md5AndSha1 { md5: over(Hash::Md5), sha1: over(Hash::Sha1) }
            }
            TranscriptHash::Of(hash) => Running::One(over(hash)),
        });
    }

    /// No signature will be made or checked over the messages as they are: they need not be kept.
    pub(crate) fn release(&mut self) {
        self.released = true;
        self.messages = Vec::new();
    }

    /// The messages as they are; empty when they were released.
    pub(crate) fn messages(&self) -> &[u8] {
        &self.messages
    }

    /// The two hashes where a version has two.
    pub(crate) fn md5_and_sha1(&self) -> Option<(HashContext, HashContext)> {
        match &self.running {
            Some(Running::Md5AndSha1 { md5, sha1 }) => Some((md5.clone(), sha1.clone())),
            _ => None,
        }
    }

    /// The hash of all messages so far.
    pub(crate) fn digest(&self) -> TranscriptDigest {
        match &self.running {
            Some(Running::Md5AndSha1 { md5, sha1 }) => {
                TranscriptDigest::new(&[md5.current().as_ref(), sha1.current().as_ref()])
            }
            Some(Running::One(hash)) => TranscriptDigest::new(&[hash.current().as_ref()]),
            None => TranscriptDigest::new(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_before_the_choice_count_too() {
        let mut transcript = Transcript::default();
        transcript.add(b"hello ");
        transcript.choose(TranscriptHash::Of(Hash::Sha256));
        transcript.release();
        transcript.add(b"world");
        assert_eq!(transcript.digest().as_ref(), Hash::Sha256.digest(b"hello world").as_ref());
        assert!(transcript.messages().is_empty());
    }

    #[test]
    fn two_hashes_stand_one_behind_the_other() {
        let mut transcript = Transcript::default();
        transcript.choose(TranscriptHash::Md5AndSha1);
        transcript.add(b"abc");
        let expected = [Hash::Md5.digest(b"abc").as_ref(), Hash::Sha1.digest(b"abc").as_ref()].concat();
        assert_eq!(transcript.digest().as_ref(), expected);
        assert_eq!(transcript.messages(), b"abc");
    }
}
