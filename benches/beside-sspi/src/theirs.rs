//! The crate `sspi`, as its examples use it.

use sspi::{
    AuthIdentity, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation, EncryptionFlags, Ntlm,
    SecurityBuffer, SecurityBufferRef, SecurityStatus, ServerRequestFlags, Sspi, SspiImpl, Username,
};

/// The client's end.
pub struct Theirs {
    context: Ntlm,
    token: [u8; 16],
    data: Vec<u8>,
    number: u32,
}

/// Credentials of both ends, and a handshake.
pub fn established() -> Theirs {
    let username = Username::new("user", Some("DOMAIN")).unwrap();
    let identity = AuthIdentity { username, password: "password".to_owned().into() };
    let (mut client, mut server) = (Ntlm::new(), Ntlm::new());
    let mut outbound = client
        .acquire_credentials_handle()
        .with_credential_use(CredentialUse::Outbound)
        .with_auth_data(&identity)
        .execute(&mut client)
        .unwrap();
    let mut inbound = server
        .acquire_credentials_handle()
        .with_credential_use(CredentialUse::Inbound)
        .with_auth_data(&identity)
        .execute(&mut server)
        .unwrap();
    let mut to_server = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let mut to_client = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
    loop {
        to_server[0].buffer.clear();
        let mut builder = client
            .initialize_security_context()
            .with_credentials_handle(&mut outbound.credentials_handle)
            .with_context_requirements(
                ClientRequestFlags::CONFIDENTIALITY | ClientRequestFlags::ALLOCATE_MEMORY,
            )
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name("user")
            .with_input(&mut to_client)
            .with_output(&mut to_server);
        let result =
            client.initialize_security_context_impl(&mut builder).unwrap().resolve_to_result().unwrap();
        complete(&mut client, result.status, &mut to_server);
        to_client[0].buffer.clear();
        let builder = server
            .accept_security_context()
            .with_credentials_handle(&mut inbound.credentials_handle)
            .with_context_requirements(ServerRequestFlags::ALLOCATE_MEMORY)
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut to_server)
            .with_output(&mut to_client);
        let result = server.accept_security_context_impl(builder).unwrap().resolve_to_result().unwrap();
        complete(&mut server, result.status, &mut to_client);
        if ![SecurityStatus::CompleteAndContinue, SecurityStatus::ContinueNeeded].contains(&result.status) {
            break;
        }
    }
    Theirs { context: client, token: [0; 16], data: Vec::new(), number: 0 }
}

fn complete(context: &mut Ntlm, status: SecurityStatus, token: &mut [SecurityBuffer]) {
    if [SecurityStatus::CompleteAndContinue, SecurityStatus::CompleteNeeded].contains(&status) {
        context.complete_auth_token(token).unwrap();
    }
}

impl Theirs {
    pub fn encrypt(&mut self, length: usize) {
        self.data.resize(length, 7);
        let mut buffers =
            [SecurityBufferRef::token_buf(&mut self.token), SecurityBufferRef::data_buf(&mut self.data)];
        self.context.encrypt_message(EncryptionFlags::empty(), &mut buffers).unwrap();
    }

    pub fn sign(&mut self, length: usize) {
        self.data.resize(length, 7);
        let mut buffers =
            [SecurityBufferRef::token_buf(&mut self.token), SecurityBufferRef::data_buf(&mut self.data)];
        self.context.make_signature(0, &mut buffers, self.number).unwrap();
        self.number = self.number.wrapping_add(1);
    }
}
