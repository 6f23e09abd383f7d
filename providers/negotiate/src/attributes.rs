//! The attributes of a context whose package does not say by itself that it was negotiated.

use std::sync::Arc;

use sspi_core::{
    ApplicationProtocol, ChannelBindings, CipherInfo, ConnectionInfo, ConnectionWeakness, ContextFlags,
    Error, KeyInfo, KeyingMaterial, Lifespan, NegotiationInfo, NegotiationState, PackageInfo,
    QueryContextAttributes, RemoteCertificate, Secret, SessionInfo, Sizes, StreamSizes,
};

/// What the chosen package says, and which package that is.
pub(crate) struct Attributes(pub(crate) Arc<dyn QueryContextAttributes>);

macro_rules! passed_on {
    ($($name:ident -> $type:ty;)*) => {$(
        fn $name(&self) -> Result<$type, Error> {
            self.0.$name()
        }
    )*};
}

impl QueryContextAttributes for Attributes {
    fn package_info(&self) -> &PackageInfo {
        self.0.package_info()
    }

    fn flags(&self) -> ContextFlags {
        self.0.flags()
    }

    fn keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        length: usize,
    ) -> Result<KeyingMaterial, Error> {
        self.0.keying_material(label, context, length)
    }

    fn weaknesses(&self) -> Vec<ConnectionWeakness> {
        self.0.weaknesses()
    }

    fn marks_its_end(&self) -> bool {
        self.0.marks_its_end()
    }

    fn negotiation_info(&self) -> Result<NegotiationInfo, Error> {
        let package = self.0.package_info().clone();
        Ok(NegotiationInfo { state: NegotiationState::Complete, package })
    }

    passed_on! {
        exporter_bindings -> ChannelBindings;
        sizes -> Sizes;
        names -> String;
        lifespan -> Lifespan;
        stream_sizes -> StreamSizes;
        key_info -> KeyInfo;
        authority -> String;
        session_key -> Secret<Vec<u8>>;
        native_names -> (String, String);
        unique_bindings -> ChannelBindings;
        endpoint_bindings -> ChannelBindings;
        client_specified_target -> String;
        application_protocol -> ApplicationProtocol;
        remote_certificate -> RemoteCertificate;
        local_certificate -> RemoteCertificate;
        connection_info -> ConnectionInfo;
        cipher_info -> CipherInfo;
        session_info -> SessionInfo;
    }
}
