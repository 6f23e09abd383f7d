//! What follows the handshake: what the shim writes first, the echo, and the shutdown.

use sspi_core::{
    AlertLevel, CertificateIdentity, ControlToken, Decrypted, Error, QualityOfProtection, Renegotiation,
    SecBuffer, SecBufferType, SecurityContext, StreamLayout, StreamSizes,
};

use crate::flags::{Options, Renegotiates};
use crate::handshake::{self, Established, Handshaking};
use crate::judgement::Refusal;
use crate::stop::Stop;
use crate::transport::Transport;

/// What the shim says first.
const HELLO: &[u8] = b"hello";
/// What `-write-different-record-sizes` writes: lengths at both sides of where a record is full.
const RECORD_SIZES: [usize; 11] = [0, 1, 255, 256, 257, 16383, 16384, 16385, 32767, 32768, 32769];
/// What those are filled with.
const FILL: u8 = 0x42;
const DECOMPRESSION_FAILURE: u8 = 30;
const NO_RENEGOTIATION: u8 = 100;

/// An established context over the transport.
pub(crate) struct Channel<'a> {
    /// `None` behind a renegotiation that failed.
    context: Option<Box<dyn SecurityContext>>,
    /// What a client shows when it is asked for a certificate.
    identity: Option<CertificateIdentity>,
    options: &'a Options,
    /// Data that came in the middle of a renegotiation.
    early: Vec<u8>,
    renegotiations: u32,
    /// Nothing more is negotiated: close_notify was sent, or a record is half written.
    is_settled: bool,
    sizes: StreamSizes,
    /// What the peer sent and the context has not taken.
    unread: Vec<u8>,
    transport: &'a mut Transport,
}

/// What came of the peer.
#[derive(Debug, PartialEq, Eq)]
enum Received {
    Data(Vec<u8>),
    /// close_notify.
    Closed,
    /// The end of the stream, without close_notify.
    End,
}

impl<'a> Channel<'a> {
    pub(crate) fn new(
        established: Established,
        transport: &'a mut Transport,
        options: &'a Options,
        identity: Option<CertificateIdentity>,
    ) -> Result<Self, Stop> {
        let sizes = established.context.attributes().stream_sizes()?;
        let (context, unread) = (Some(established.context), established.unread);
        Ok(Self {
            context,
            identity,
            options,
            early: Vec::new(),
            renegotiations: 0,
            is_settled: false,
            sizes,
            unread,
            transport,
        })
    }

    fn context(&mut self) -> Result<&mut dyn SecurityContext, Stop> {
        match &mut self.context {
            Some(context) => Ok(&mut **context),
            None => Err(Stop::failed("there is no context behind a renegotiation that failed")),
        }
    }

    /// Negotiates again, as the peer wants it.
    fn renegotiate(&mut self) -> Result<(), Stop> {
        let Some(context) = self.context.take() else {
            return Err(Stop::failed("there is no context behind a renegotiation that failed"));
        };
        let unread = core::mem::take(&mut self.unread);
        let handshaking = match context.renegotiate(&unread) {
            Ok(Renegotiation::Initialize(client)) => Handshaking::Client(client, self.identity.clone()),
            Ok(Renegotiation::Accept(server)) => Handshaking::Server(server),
            Err(refused) => return Err(refused.error.into()),
        };
        let established = handshake::run_again(handshaking, self.transport, self.options, unread)?;
        self.sizes = established.context.attributes().stream_sizes()?;
        (self.context, self.unread, self.early) =
            (Some(established.context), established.unread, established.data);
        self.renegotiations += 1;
        Ok(())
    }

    /// Whether the application goes along with a wish of the peer to negotiate again.
    const fn renegotiates(&self) -> bool {
        use Renegotiates as R;
        match self.options.renegotiates {
            R::Freely => !self.is_settled,
            R::Once => !self.is_settled && self.renegotiations == 0,
            R::Never | R::Ignored => false,
        }
    }

    /// Everything behind the handshake.
    ///
    /// # Errors
    /// What went wrong; the peer has been told.
    pub(crate) fn exchange(mut self, options: &Options) -> Result<(), Stop> {
        self.write_keying_material(options)?;
        if options.send_alert {
            self.send_alert(DECOMPRESSION_FAILURE);
            return Ok(());
        }
        let mut end = None;
        if options.write_different_record_sizes {
            for size in RECORD_SIZES {
                self.write(&vec![FILL; size])?;
            }
        } else {
            let mut unfinished = Vec::new();
            if options.read_with_unfinished_write {
                unfinished = self.begin_write(HELLO)?;
                self.is_settled = true;
            } else if options.shim_writes_first {
                self.write(HELLO)?;
            }
            if !options.shim_shuts_down {
                end = Some(self.echo(unfinished)?);
            }
        }
        if let Some(expected) = options.expect_total_renegotiations.filter(|n| *n != self.renegotiations) {
            let count = self.renegotiations;
            return Err(Stop::failed(format!("{expected} renegotiations were expected, and {count} came")));
        }
        self.shut_down(end, options)
    }

    /// Ends the connection because the application does not accept the peer.
    pub(crate) fn refuse(mut self, refusal: &Refusal) -> Stop {
        self.send_alert(refusal.alert);
        Stop::failed(refusal.says)
    }

    fn write_keying_material(&mut self, options: &Options) -> Result<(), Stop> {
        let attributes = self.context()?.attributes();
        if options.export_keying_material > 0 {
            let context = options.use_export_context.then_some(options.export_context.as_slice());
            let material = attributes
                .keying_material(&options.export_label, context, options.export_keying_material)
                .map_err(|error| Stop::failed(format!("failed to export keying material: {error}")))?;
            self.write(material.expose_secret())?;
        }
        if options.tls_unique {
            let bindings = attributes
                .unique_bindings()
                .map_err(|error| Stop::failed(format!("failed to get tls-unique: {error}")))?;
            self.write(bindings.value())?;
        }
        Ok(())
    }

    /// Writes back what comes, each byte XOR 0xFF, until the peer has ended its side. `unfinished` is what a write has not
    /// sent yet; it goes out after the first read.
    fn echo(&mut self, mut unfinished: Vec<u8>) -> Result<Received, Stop> {
        loop {
            match self.read()? {
                Received::Data(mut data) => {
                    self.transport.send(&core::mem::take(&mut unfinished))?;
                    self.is_settled = false;
                    data.iter_mut().for_each(|byte| *byte ^= 0xff);
                    self.write(&data)?;
                }
                end => return Ok(end),
            }
        }
    }

    /// Says that nothing more will be sent, and, where it is asked for, checks that the peer has said so too.
    fn shut_down(&mut self, end: Option<Received>, options: &Options) -> Result<(), Stop> {
        let close_notify = self.context()?.apply_control_token(&ControlToken::Shutdown)?;
        self.is_settled = true;
        // A peer that is gone needs no farewell.
        let _gone = self.transport.send(&close_notify);
        if !options.check_close_notify {
            return Ok(());
        }
        // The runner knows the numbers of SSL_shutdown: for an end that came before ours, and for one that follows it.
        let result = if end.is_some() { 0 } else { -1 };
        match end.map_or_else(|| self.read(), Ok)? {
            Received::Closed => Ok(()),
            Received::Data(_) => {
                Err(Stop::failed(":APPLICATION_DATA_ON_SHUTDOWN: the peer sent data after our close_notify"))
            }
            Received::End => Err(Stop::failed(format!(
                "Unexpected SSL_shutdown result: {result} != 1: the peer ended without close_notify"
            ))),
        }
    }

    /// Writes all of it, in records that are as full as can be. Of nothing, nothing is written.
    fn write(&mut self, data: &[u8]) -> Result<(), Stop> {
        for chunk in data.chunks(self.sizes.maximum_message) {
            let record = self.seal(chunk)?;
            self.transport.send(&record)?;
        }
        Ok(())
    }

    /// Writes one record, and sends one byte of it; the rest is returned.
    fn begin_write(&mut self, data: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut record = self.seal(data)?;
        let rest = record.split_off(1.min(record.len()));
        self.transport.send(&record)?;
        Ok(rest)
    }

    fn seal(&mut self, data: &[u8]) -> Result<Vec<u8>, Stop> {
        let layout = StreamLayout::new(&self.sizes, data.len());
        let mut memory = vec![0; layout.end()];
        for (place, byte) in memory.iter_mut().skip(layout.data_range().start).zip(data) {
            *place = *byte;
        }
        let mut buffers = layout.buffers();
        self.context()?.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers)?;
        Ok(memory.get(StreamLayout::message_range(&buffers)).unwrap_or_default().to_vec())
    }

    /// The next data that the peer sends, or the end of it. Records without data are passed over.
    fn read(&mut self) -> Result<Received, Stop> {
        loop {
            if !self.early.is_empty() {
                return Ok(Received::Data(core::mem::take(&mut self.early)));
            }
            if self.unread.is_empty() && !self.transport.receive(&mut self.unread)? {
                return Ok(Received::End);
            }
            let whole = SecBuffer::new(SecBufferType::DATA, 0..self.unread.len());
            let mut buffers = [whole, SecBuffer::EMPTY, SecBuffer::EMPTY, SecBuffer::EMPTY];
            let Some(context) = &mut self.context else {
                return Err(Stop::failed("there is no context behind a renegotiation that failed"));
            };
            match context.decrypt_message(&mut self.unread, &mut buffers) {
                Ok(Decrypted::Message) => {
                    let data = self.take(&buffers)?;
                    if !data.is_empty() {
                        return Ok(Received::Data(data));
                    }
                }
                Ok(Decrypted::Incomplete { .. }) => {
                    if !self.transport.receive(&mut self.unread)? {
                        return Ok(Received::End);
                    }
                }
                Ok(Decrypted::Expired) => return Ok(Received::Closed),
                Ok(Decrypted::Renegotiate) if self.renegotiates() => {
                    self.take(&buffers)?;
                    self.renegotiate()?;
                }
                Ok(Decrypted::Renegotiate) if self.options.renegotiates == Renegotiates::Ignored => {
                    self.take(&buffers)?;
                }
                Ok(Decrypted::Renegotiate | Decrypted::NoRenegotiation) => {
                    self.send_alert(NO_RENEGOTIATION);
                    return Err(Stop::failed(":NO_RENEGOTIATION: the peer wants to negotiate again"));
                }
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// The data of one message; what follows the message stays unread.
    fn take(&mut self, buffers: &[SecBuffer; 4]) -> Result<Vec<u8>, Stop> {
        let data = SecBuffer::find(buffers, SecBufferType::DATA)?;
        let data = self.unread.get(data).unwrap_or_default().to_vec();
        let extra = SecBuffer::find(buffers, SecBufferType::EXTRA).unwrap_or_default();
        self.unread = self.unread.get(extra).unwrap_or_default().to_vec();
        Ok(data)
    }

    /// Tells the peer, where there is something to tell.
    fn fail(&mut self, error: Error) -> Stop {
        if let Some(number) = error.alert() {
            self.send_alert(number);
        }
        error.into()
    }

    /// A fatal alert. A peer that does not take it does not change what went wrong first.
    fn send_alert(&mut self, number: u8) {
        let alert = ControlToken::Alert { level: AlertLevel::Fatal, number };
        let record = self.context().and_then(|context| Ok(context.apply_control_token(&alert)?));
        if let Ok(record) = record {
            let _gone = self.transport.send(&record);
        }
    }
}
