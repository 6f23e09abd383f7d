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
