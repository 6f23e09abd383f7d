//! Whole records that were taken before it was known which engine they are for.

use sspi_core::{Error, Failure, Fault, SecStatus};

use super::Progress;

/// Bytes that the caller has been told are taken, and that an engine still must see, in front of what comes next.
#[derive(Default)]
pub(crate) struct Replay(Vec<u8>);

impl Replay {
    /// Takes bytes that end with a record.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Lets an engine see what was taken, and `input` behind it.
    pub(crate) fn advance(
        &mut self,
        input: &[u8],
        mut engine: impl FnMut(&[u8]) -> Result<Progress, Failure>,
    ) -> Result<Progress, Failure> {
        if self.0.is_empty() {
            return engine(input);
        }
        let mut all = [self.0.as_slice(), input].concat();
        let mut written = Vec::new();
        loop {
            let progress = engine(&all).map_err(|failure| Failure {
                token: [core::mem::take(&mut written), failure.token].concat(),
                ..failure
            })?;
            match progress {
                Progress::Continue { token, used } => {
                    written.extend(token);
                    let replayed = used.min(self.0.len());
                    self.0.drain(..replayed);
                    all.drain(..used.min(all.len()));
                    // The caller knows nothing of what is left here, so that nobody else would come back for it.
                    if self.0.is_empty() || used == 0 {
                        return Ok(match (used - replayed, written.is_empty()) {
                            (0, true) => return engine(&all),
                            (used, _) => Progress::Continue { token: written, used },
                        });
                    }
                }
                Progress::Complete { established, token, used } if used >= self.0.len() => {
                    written.extend(token);
                    let used = used - self.0.len();
                    self.0.clear();
                    return Ok(Progress::Complete { established, token: written, used });
                }
                Progress::Incomplete { .. } | Progress::Ask(_) if written.is_empty() => return Ok(progress),
                _ => {
                    let what = "an engine stopped in the middle of what it was given";
                    return Err(Error::new(
                        SecStatus::SEC_E_INTERNAL_ERROR,
                        Fault::Internal,
                        what.to_owned(),
                    )
                    .into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine that takes `each` bytes a call, as long as there are some, and says what it has seen.
    fn run(replay: &mut Replay, input: &[u8], each: usize, seen: &mut Vec<u8>) -> Progress {
        let progress = replay.advance(input, |bytes| {
            let used = bytes.len().min(each);
            seen.extend_from_slice(&bytes[..used]);
            Ok(match used {
                0 => Progress::Incomplete { missing: 1 },
                used => Progress::Continue { token: Vec::new(), used },
            })
        });
        progress.unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    #[test]
    fn what_was_taken_is_seen_once_and_in_front() {
        for each in [1, 2, 3, 5, 100] {
            let (mut replay, mut seen) = (Replay::default(), Vec::new());
            replay.take(b"first ");
            replay.take(b"second ");
            let mut input = b"third".to_vec();
            while !input.is_empty() {
                match run(&mut replay, &input, each, &mut seen) {
                    Progress::Continue { used, .. } => drop(input.drain(..used)),
                    _ => panic!("it was told of everything"),
                }
            }
            assert_eq!(seen, b"first second third", "{each} bytes a call");
            assert!(matches!(run(&mut replay, b"", each, &mut seen), Progress::Incomplete { .. }));
        }
    }

    #[test]
    fn tokens_come_out_and_the_bytes_that_were_replayed_do_not_count() {
        let mut replay = Replay::default();
        replay.take(b"12345");
        let progress =
            replay.advance(b"6789", |bytes| Ok(Progress::Continue { token: bytes[..3].to_vec(), used: 3 }));
        let Ok(Progress::Continue { token, used }) = progress else { panic!() };
        assert_eq!((token.as_slice(), used), (&b"123456"[..], 1), "both calls in one");
        let failure = replay.advance(b"789", |_| Err(Error::invalid_handle("over").into())).err();
        assert!(failure.is_some_and(|failure| failure.token.is_empty()));
    }

    #[test]
    fn a_token_that_was_written_before_a_failure_goes_out_in_front_of_its_alert() {
        let mut replay = Replay::default();
        replay.take(b"12");
        let mut calls = 0;
        let failure = replay.advance(b"3", |_| {
            calls += 1;
            match calls {
                1 => Ok(Progress::Continue { token: b"hello".to_vec(), used: 1 }),
                _ => Err(Failure { error: Error::invalid_handle("no"), token: b" alert".to_vec() }),
            }
        });
        assert_eq!(failure.err().unwrap().token, b"hello alert");
    }
}
