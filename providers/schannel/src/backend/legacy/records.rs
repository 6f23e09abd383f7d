//! The engine's records behind the contract.

use core::ops::Range;

use legacy_tls::record::{ContentType, Need, Opener, RecordError, Sealer};
use legacy_tls::{AlertDescription, KeptSession, ProtocolVersion};
use sspi_core::{AlertLevel, StreamSizes};

use super::error;
use crate::backend::records::{APPLICATION_DATA, Opened, Opening, Sealing};
use crate::status::Error;

/// Blocks of so many bytes are small: after 2^32 of them two are the same, and tell of each other.
const SMALL_BLOCK: usize = 8;

/// What PCT has, and the contract has not.
pub(super) const OUT_OF_BAND: &str = "data out of band, for which this interface has no place";

/// The direction that sends.
pub(crate) struct Sending {
    sealer: Sealer,
    version: ProtocolVersion,
    small_block_limit: u64,
    session: Option<KeptSession>,
}

impl Sending {
    pub(crate) const fn new(sealer: Sealer, version: ProtocolVersion, small_block_limit: u64) -> Self {
        Self { sealer, version, small_block_limit, session: None }
    }

    /// In a session that does not outlive a failure.
    pub(crate) fn in_session(self, session: KeptSession) -> Self {
        Self { session: Some(session), ..self }
    }

    pub(crate) fn into_sealer(self) -> Sealer {
        self.sealer
    }
}

impl Sealing for Sending {
    fn seal_hello_request(&mut self) -> Result<Vec<u8>, Error> {
        let mut record = Vec::new();
        let request = self.sealer.seal_message(ContentType::HANDSHAKE, &[0; 4], &mut record);
        request.map_err(|e| error::record(&e))?;
        Ok(record)
    }

    /// Spec: RENEG section 4.5.
    fn as_said(&self, level: AlertLevel, number: u8) -> (AlertLevel, u8) {
        let declines = number == AlertDescription::NO_RENEGOTIATION.0;
        if declines && self.version == ProtocolVersion::SSL30 {
            return (AlertLevel::Fatal, AlertDescription::HANDSHAKE_FAILURE.0);
        }
        (level, number)
    }

    /// The header may be a whole first record with one byte of data: see [`Sealer::layout`].
    fn stream_sizes(&self) -> StreamSizes {
        let layout = self.sealer.layout();
        StreamSizes {
            header: layout.header,
            trailer: layout.trailer,
            maximum_message: layout.max_data,
            buffers: 4,
            block_size: layout.block,
        }
    }

    fn seal_data(&mut self, memory: &mut [u8], data: Range<usize>) -> Result<Range<usize>, Error> {
        let sealed = self.sealer.seal(ContentType(APPLICATION_DATA), memory, data);
        sealed.map_err(|error| match error {
            RecordError::KeyUsedUp if self.sealer.layout().block == SMALL_BLOCK => {
                Error::SmallBlockLimit { limit: self.small_block_limit, is_ours: true }
            }
            other => error::record(&other),
        })
    }

    /// SSL 3.0 has a dozen alerts. A fatal one that it has not is said with one that it has; a warning is not said. PCT and
    /// SSL 2.0 have none once their handshake is over, not even one for the end.
    fn seal_alert(&mut self, level: AlertLevel, number: u8) -> Result<Vec<u8>, Error> {
        if matches!(self.version, ProtocolVersion::PCT1 | ProtocolVersion::SSL20) {
            return Ok(Vec::new());
        }
        let said = self.version.alert(AlertDescription(number));
        let mut record = Vec::new();
        if level == AlertLevel::Warning && said.0 != number {
            return Ok(record);
        }
        let alert = [level.number(), said.0];
        self.sealer.seal_message(ContentType::ALERT, &alert, &mut record).map_err(|e| error::record(&e))?;
        Ok(record)
    }

    fn failed(&mut self) {
        if let Some(session) = self.session.take() {
            session.forget();
        }
    }
}

/// The direction that receives.
pub(crate) struct Receiving {
    opener: Opener,
    small_block_limit: u64,
    session: Option<KeptSession>,
}

impl Receiving {
    pub(crate) const fn new(opener: Opener, small_block_limit: u64) -> Self {
        Self { opener, small_block_limit, session: None }
    }

    /// In a session that does not outlive a failure.
    pub(crate) fn in_session(self, session: KeptSession) -> Self {
        Self { session: Some(session), ..self }
    }

    pub(crate) fn into_opener(self) -> Opener {
        self.opener
    }
}

impl Opening for Receiving {
    fn record_len(&self, input: &[u8]) -> Result<Result<usize, usize>, Error> {
        match self.opener.record_len(input) {
            Ok(Need::Whole(len)) => Ok(Ok(len)),
            Ok(Need::More(missing)) => Ok(Err(missing)),
            Err(error) => Err(error::record(&error)),
        }
    }

    fn open(&mut self, record: &mut [u8]) -> Result<Opened, Error> {
        let is_used_up = self.opener.is_used_up();
        let opened = self.opener.open(record).map_err(|error| error::record(&error))?;
        // A peer that does not care for the limit would give away what both of us say.
        if is_used_up && opened.content_type == ContentType::APPLICATION_DATA {
            return Err(Error::SmallBlockLimit { limit: self.small_block_limit, is_ours: false });
        }
        if opened.content_type == ContentType::OUT_OF_BAND {
            return Err(Error::UnexpectedMessage { what: OUT_OF_BAND.to_owned() });
        }
        Ok(Opened { content_type: opened.content_type.0, content: opened.content })
    }

    fn is_announcement(&self, content_type: u8) -> bool {
        content_type == ContentType::REDO.0
    }

    fn failed(&mut self) {
        if let Some(session) = self.session.take() {
            session.forget();
        }
    }
}
