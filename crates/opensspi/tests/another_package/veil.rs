//! A third party's package: a stream that hides its data behind a constant byte, after a handshake of one word each. It
//! protects nothing; it shows what a package is made of.

use std::sync::Arc;

use opensspi::sspi_core::{
    AcceptRequest, AcceptSecurityContext, ContextFlags, ControlToken, CredentialUse, CredentialsHandle,
    CredentialsRequest, Decrypted, Error, Failure, Fault, InitializeRequest, InitializeSecurityContext,
    IscRet, PackageInfo, PairedContext, QualityOfProtection, QueryContextAttributes,
    QueryCredentialsAttributes, ReceivingHalf, SecBuffer, SecBufferType, SecPkgFlags, SecStatus,
    SecurityPackage, SendingHalf, SharedPart, Step, StreamSizes,
};

/// Length of a record's header: the length of its data.
const HEADER: usize = 2;
const VEIL: u8 = 0x5a;

/// The package.
pub(crate) struct Veil(PackageInfo);

impl Veil {
    pub(crate) fn new() -> Self {
        Self(PackageInfo {
            name: "Veil".into(),
            aliases: Vec::new(),
            comment: "hides nothing".into(),
            capabilities: SecPkgFlags::STREAM,
            version: 1,
            rpc_id: 0xffff,
            max_token: 16,
            oids: Vec::new(),
        })
    }
}

impl SecurityPackage for Veil {
    fn package_info(&self) -> &PackageInfo {
        &self.0
    }

    fn acquire_credentials_handle(
        &self,
        request: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        Ok(Arc::new(Credential { info: self.0.clone(), credential_use: request.credential_use }))
    }
}

struct Credential {
    info: PackageInfo,
    credential_use: CredentialUse,
}

impl QueryCredentialsAttributes for Credential {
    fn package_name(&self) -> &str {
        &self.info.name
    }
}

impl CredentialsHandle for Credential {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn credential_use(&self) -> CredentialUse {
        self.credential_use
    }

    fn initialize(&self, _request: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        Ok(Box::new(Greeting { info: self.info.clone(), is_client: true, has_spoken: false }))
    }

    fn accept(&self, _request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        Ok(Box::new(Greeting { info: self.info.clone(), is_client: false, has_spoken: false }))
    }
}

/// The handshake: the client says "hi", the server says "ho".
struct Greeting {
    info: PackageInfo,
    is_client: bool,
    has_spoken: bool,
}

impl Greeting {
    fn step(&mut self, input: &[u8]) -> Result<Step, Failure> {
        if self.is_client && !self.has_spoken {
            self.has_spoken = true;
            return Ok(Step::Continue { token: b"hi".to_vec(), used: 0 });
        }
        let (expected, token) = if self.is_client { (b"ho", Vec::new()) } else { (b"hi", b"ho".to_vec()) };
        match input.get(..2) {
            None => Ok(Step::Incomplete { missing: Some(2 - input.len()) }),
            Some(word) if word == expected => {
                let shared = Attributes(self.info.clone());
                let context = Box::new(PairedContext { sender: Sender, receiver: Receiver, shared });
                Ok(Step::Complete { context, token, used: 2 })
            }
            Some(_) => {
                Err(Error::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::Decode, "that is no greeting").into())
            }
        }
    }
}

impl InitializeSecurityContext for Greeting {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        self.step(input)
    }
}

impl AcceptSecurityContext for Greeting {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        self.step(input)
    }
}

#[derive(Clone)]
struct Attributes(PackageInfo);

impl QueryContextAttributes for Attributes {
    fn package_info(&self) -> &PackageInfo {
        &self.0
    }

    fn flags(&self) -> ContextFlags {
        ContextFlags::Initiator(IscRet::STREAM)
    }

    fn stream_sizes(&self) -> Result<StreamSizes, Error> {
        Ok(StreamSizes { header: HEADER, trailer: 0, maximum_message: 1000, buffers: 4, block_size: 1 })
    }
}

struct Sender;

impl SendingHalf for Sender {
    fn encrypt_message(
        &mut self,
        _quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        let header = SecBuffer::find(buffers, SecBufferType::STREAM_HEADER)?;
        let data = SecBuffer::find(buffers, SecBufferType::DATA)?;
        let length = u16::try_from(data.len()).map_err(|_| Error::invalid_buffers("too much data"))?;
        memory[header].copy_from_slice(&length.to_be_bytes());
        memory[data].iter_mut().for_each(|byte| *byte ^= VEIL);
        Ok(())
    }

    /// The end is a record without data.
    fn apply_control_token(&mut self, token: &ControlToken) -> Result<Vec<u8>, Error> {
        match token {
            ControlToken::Shutdown => Ok(vec![0, 0]),
            _ => Err(Error::unsupported("Veil", "ApplyControlToken")),
        }
    }
}

struct Receiver;

impl ReceivingHalf for Receiver {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        let all = SecBuffer::find(buffers, SecBufferType::DATA)?;
        let input = &memory[all.clone()];
        let Some(header) = input.first_chunk::<HEADER>() else {
            return Ok(Decrypted::Incomplete { missing: None });
        };
        let length = usize::from(u16::from_be_bytes(*header));
        let data = all.start + HEADER..all.start + HEADER + length;
        if data.end > all.end {
            return Ok(Decrypted::Incomplete { missing: Some(data.end - all.end) });
        }
        memory[data.clone()].iter_mut().for_each(|byte| *byte ^= VEIL);
        let found = [
            SecBuffer::new(SecBufferType::STREAM_HEADER, all.start..data.start),
            SecBuffer::new(SecBufferType::DATA, data.clone()),
            SecBuffer::new(SecBufferType::STREAM_TRAILER, data.end..data.end),
            if data.end < all.end {
                SecBuffer::new(SecBufferType::EXTRA, data.end..all.end)
            } else {
                SecBuffer::EMPTY
            },
        ];
        for (buffer, found) in buffers.iter_mut().zip(found) {
            *buffer = found;
        }
        Ok(if length == 0 { Decrypted::Expired } else { Decrypted::Message })
    }
}

impl SharedPart for Attributes {
    type Sender = Sender;
    type Receiver = Receiver;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::new(self.clone())
    }
}
