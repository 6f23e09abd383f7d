//! What machines of a farm tell each other of sessions that were removed, over channels of Redis.
//!
//! ```text
//! channel  "opensspi:removed:" and 32 hexadecimal digits of a MAC: whoever has the key knows it;
//!          for 5 behind it ":" and the 32 digits of the machine that has asked
//!
//! sealed as sessions are (format, key, salt; channel and format authenticated with it):
//! kind     1
//! from    16   the machine that says it
//! newest       eras: the newest generation of each that it knows
//!
//! 1 removed    marks
//! 2 who?       nonce 16                   who holds eras?
//! 3 tell!      nonce 16, machine 16       what do you know?
//! 4 holds      nonce 16, eras             those that are held, and from which generation on; of who has just begun one,
//!                                         too, and nobody has asked then
//! 5 knows      nonce 16, eras (held), number of batches 1, of each: eras (its beginning), marks
//!
//! eras         number 2, of each: era 16, generation 4
//! marks        number 4, of each: 4
//! ```
//!
//! Whoever can write to Redis can say any of it again, later. That a session was removed stays true. What a machine holds is
//! worth something only as the answer to a question that was put since: answers have its nonce.

use std::fmt;

use crypto::random::Random;
use zeroize::Zeroizing;

use crate::key_ring::{FarmKey, KeyRing};
use crate::removals::{ERA_LEN, Era, Generations, Mark};
use crate::sealed;

/// A random number that names a machine, or a question.
pub(crate) type Name = [u8; 16];

/// What a machine says, and which generations it knew.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) from: Name,
    pub(crate) newest: Generations,
    pub(crate) what: What,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum What {
    Removed(Vec<Mark>),
    Who { nonce: Name },
    Tell { nonce: Name, machine: Name },
    Holds { nonce: Name, held: Generations },
    Knows { nonce: Name, held: Generations, batches: Vec<(Generations, Vec<Mark>)> },
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed(_) => "Removed",
            Self::Who { .. } => "Who",
            Self::Tell { .. } => "Tell",
            Self::Holds { .. } => "Holds",
            Self::Knows { .. } => "Knows",
        })
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News").field("what", &self.what).finish_non_exhaustive()
    }
}

/// What all channels begin with.
pub(crate) const CHANNELS: &str = "opensspi:removed:";

/// The channel of those who have this key.
pub(crate) fn channel(key: &FarmKey) -> String {
    let mac = key.naming.sign(b"removed");
    let digits = mac.as_ref().iter().take(16).map(|byte| format!("{byte:02x}"));
    core::iter::once(CHANNELS.to_owned()).chain(digits).collect()
}

/// The channel of one machine among them, for what is long and nobody else's business.
pub(crate) fn channel_of(key: &FarmKey, machine: &Name) -> String {
    let digits = machine.iter().map(|byte| format!("{byte:02x}"));
    [channel(key), ":".to_owned()].into_iter().chain(digits).collect()
}

impl News {
    /// It, sealed for a channel of this key.
    pub(crate) fn seal(&self, key: &FarmKey, channel: &str, random: &dyn Random) -> Option<Vec<u8>> {
        sealed::seal_content(key, channel, Zeroizing::new(self.write()), random)
    }

    /// What was said in a channel, with the key that it was said with; `None` for whatever else it is.
    pub(crate) fn open<'a>(ring: &'a KeyRing, channel: &str, message: &[u8]) -> Option<(&'a FarmKey, Self)> {
        let (key, content) = sealed::open_content(ring, channel, message)?;
        let mut reader = Reader(&content);
        let news = Self::read(&mut reader)?;
        reader.0.is_empty().then_some((key, news))
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let kind = match &self.what {
            What::Removed(_) => 1,
            What::Who { .. } => 2,
            What::Tell { .. } => 3,
            What::Holds { .. } => 4,
            What::Knows { .. } => 5,
        };
        out.push(kind);
        out.extend_from_slice(&self.from);
        write_eras(&mut out, &self.newest);
        match &self.what {
            What::Removed(marks) => write_marks(&mut out, marks),
            What::Who { nonce } => out.extend_from_slice(nonce),
            What::Tell { nonce, machine } => {
                out.extend_from_slice(nonce);
                out.extend_from_slice(machine);
            }
            What::Holds { nonce, held } => {
                out.extend_from_slice(nonce);
                write_eras(&mut out, held);
            }
            What::Knows { nonce, held, batches } => {
                out.extend_from_slice(nonce);
                write_eras(&mut out, held);
                out.push(u8::try_from(batches.len()).unwrap_or(u8::MAX));
                for (begun, marks) in batches.iter().take(usize::from(u8::MAX)) {
                    write_eras(&mut out, begun);
                    write_marks(&mut out, marks);
                }
            }
        }
        out
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let [kind] = reader.array()?;
        let from = reader.array()?;
        let newest = reader.eras()?;
        let what = match kind {
            1 => What::Removed(reader.marks()?),
            2 => What::Who { nonce: reader.array()? },
            3 => What::Tell { nonce: reader.array()?, machine: reader.array()? },
            4 => What::Holds { nonce: reader.array()?, held: reader.eras()? },
            5 => {
                let (nonce, held, [count]) = (reader.array()?, reader.eras()?, reader.array()?);
                let batch = |_| Some((reader.eras()?, reader.marks()?));
                What::Knows { nonce, held, batches: (0..count).map(batch).collect::<Option<_>>()? }
            }
            _ => return None,
        };
        Some(Self { from, newest, what })
    }
}

fn write_eras(out: &mut Vec<u8>, eras: &[(Era, u32)]) {
    let count = u16::try_from(eras.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    for (era, generation) in eras.iter().take(usize::from(count)) {
        out.extend_from_slice(era);
        out.extend_from_slice(&generation.to_be_bytes());
    }
}

fn write_marks(out: &mut Vec<u8>, marks: &[Mark]) {
    let count = u32::try_from(marks.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    marks.iter().for_each(|mark| out.extend_from_slice(&mark.to_be_bytes()));
}

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn eras(&mut self) -> Option<Generations> {
        let count = usize::from(u16::from_be_bytes(self.array()?));
        let mut eras = Reader(self.take(count * (ERA_LEN + 4))?);
        (0..count).map(|_| Some((eras.array()?, u32::from_be_bytes(eras.array()?)))).collect()
    }

    fn marks(&mut self) -> Option<Vec<Mark>> {
        let count = usize::try_from(u32::from_be_bytes(self.array()?)).ok()?;
        let marks = self.take(count.checked_mul(4)?)?;
        Some(marks.as_chunks::<4>().0.iter().map(|mark| u32::from_be_bytes(*mark)).collect())
    }
}

#[cfg(test)]
mod tests {
    use crypto::random::SystemRandom;

    use super::*;

    fn all() -> Vec<News> {
        let (nonce, era) = ([3; 16], [4; 16]);
        let held = vec![(era, 7), ([5; 16], 0)];
        let batches = vec![(held.clone(), vec![1, 2, u32::MAX]), (Vec::new(), Vec::new())];
        let whats = [
            What::Removed(vec![0, 0x0102_0304]),
            What::Who { nonce },
            What::Tell { nonce, machine: [9; 16] },
            What::Holds { nonce, held: held.clone() },
            What::Knows { nonce, held: held.clone(), batches },
        ];
        whats.into_iter().map(|what| News { from: [1; 16], newest: held.clone(), what }).collect()
    }

    fn ring(bytes: &[u8]) -> KeyRing {
        KeyRing::new(bytes.iter().map(|byte| FarmKey::read(&[*byte; 32]).unwrap()).collect()).unwrap()
    }

    #[test]
    fn what_is_said_is_heard_by_all_who_have_the_key_and_in_its_channel_only() {
        let ring = ring(&[1, 2]);
        for key in ring.keys() {
            for news in all() {
                let sealed = news.seal(key, &channel(key), &SystemRandom).unwrap();
                let (with, heard) = News::open(&ring, &channel(key), &sealed).unwrap();
                assert!(heard == news && with.id == key.id, "{news:?}");
                assert!(News::open(&ring, "opensspi:removed:another", &sealed).is_none());
                assert!(News::open(&self::ring(&[3]), &channel(key), &sealed).is_none());
            }
        }
    }

    #[test]
    fn what_is_cut_longer_or_altered_is_nothing() {
        let ring = ring(&[1]);
        for news in all() {
            let sealed = news.seal(&ring.first, &channel(&ring.first), &SystemRandom).unwrap();
            for at in 0..sealed.len() {
                let mut altered = sealed.clone();
                altered[at] ^= 1;
                assert!(News::open(&ring, &channel(&ring.first), &altered).is_none(), "{news:?}, {at}");
            }
            // Nor is it by one who has the key and makes a mistake.
            let content = news.write();
            for length in 0..content.len() {
                let read = News::read(&mut Reader(&content[..length]));
                assert!(read.is_none(), "{news:?} of {length} bytes");
            }
            let longer = Zeroizing::new([content, vec![0]].concat());
            let key = &ring.first;
            let sealed = sealed::seal_content(key, &channel(key), longer, &SystemRandom).unwrap();
            assert!(News::open(&ring, &channel(key), &sealed).is_none(), "{news:?}");
        }
    }
}
