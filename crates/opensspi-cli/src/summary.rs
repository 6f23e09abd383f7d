//! What was negotiated on a connection, for people and as JSON.

use opensspi::audit::Negotiated;
use opensspi::sspi_core::{Account, ChannelBindings, ConnectionWeakness, Error, QueryContextAttributes};
use opensspi::{CertificateSummary, harmless_message};
use serde_json::{Value, json};

use crate::dates::date;
use crate::print::{Channel, Printer, Style, hex, short_hex};

/// Everything worth saying about an established connection.
pub(crate) struct Summary {
    pub(crate) negotiated: Negotiated,
    pub(crate) chain: Vec<Certificate>,
    pub(crate) bindings: Vec<Binding>,
    /// What is weak about it, the worst first.
    pub(crate) weaknesses: Vec<ConnectionWeakness>,
}

/// A certificate, fit to be printed.
pub(crate) struct Certificate {
    pub(crate) subject: String,
    issuer: String,
    names: Vec<String>,
    not_before: String,
    not_after: String,
    key: String,
    signature: String,
    pub(crate) sha256: String,
}

/// A channel binding: its kind and its value.
pub(crate) struct Binding {
    pub(crate) kind: &'static str,
    pub(crate) value: Vec<u8>,
}

impl Summary {
    pub(crate) fn of(attributes: &dyn QueryContextAttributes, account: Option<&Account>) -> Self {
        let chain = attributes.remote_certificate().map(|certificate| certificate.chain).unwrap_or_default();
        let binding = |kind, binding: Result<ChannelBindings, Error>| {
            binding.ok().map(|binding| Binding { kind, value: binding.value().to_vec() })
        };
        let bindings = [
            binding("tls-server-end-point", attributes.endpoint_bindings()),
            binding("tls-exporter", attributes.exporter_bindings()),
            binding("tls-unique", attributes.unique_bindings()),
        ];
        Self {
            negotiated: Negotiated::of(attributes, account),
            chain: chain.iter().map(|der| Certificate::read(der)).collect(),
            bindings: bindings.into_iter().flatten().collect(),
            weaknesses: attributes.weaknesses(),
        }
    }

    /// The fields of the connection, a line each.
    pub(crate) fn print(&self, printer: &Printer, channel: Channel) {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let negotiated = &self.negotiated;
        let protocol = or_none(&negotiated.protocol);
        printer.field(channel, "protocol", printer.styled(channel, Style::Bold, protocol));
        printer.field(channel, "cipher", or_none(&negotiated.cipher));
        printer.field(channel, "key exchange", or_none(&negotiated.key_exchange_text()));
        printer.field(channel, "peer", or_none(&negotiated.peer_name));
        printer.field(channel, "ALPN", or_none(&negotiated.application_protocol));
        printer.field(channel, "account", or_none(&negotiated.account_text()));
        printer.field(channel, "resumed", if negotiated.resumed { "yes" } else { "no" });
        for (i, binding) in self.bindings.iter().enumerate() {
            let label = if i == 0 { "bindings" } else { "" };
            printer.field(channel, label, format_args!("{} {}", binding.kind, short_hex(&binding.value)));
        }
    }

    /// What is weak about the connection, a line each.
    pub(crate) fn print_weaknesses(&self, printer: &Printer, channel: Channel) {
        for ConnectionWeakness { name, description } in &self.weaknesses {
            let name = printer.styled(channel, Style::Yellow, format_args!("[{name}]"));
            printer.field(channel, "weak", format_args!("{description} {name}"));
        }
    }

    /// The names of what is weak, in one line.
    pub(crate) fn weak_names(&self) -> Option<String> {
        let names: Vec<&str> = self.weaknesses.iter().map(|weakness| &*weakness.name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// The peer's certificates, leaf first.
    pub(crate) fn print_chain(&self, printer: &Printer, channel: Channel) {
        for (i, certificate) in self.chain.iter().enumerate() {
            let label = format!("certificate {i}");
            printer.field(channel, &label, printer.styled(channel, Style::Bold, &certificate.subject));
            if !certificate.names.is_empty() {
                printer.field(channel, "", format_args!("for {}", certificate.names.join(", ")));
            }
            printer.field(channel, "", format_args!("issued by {}", certificate.issuer));
            printer.field(
                channel,
                "",
                format_args!("valid {} to {}", certificate.not_before, certificate.not_after),
            );
            printer.field(
                channel,
                "",
                format_args!("{}, signed with {}", certificate.key, certificate.signature),
            );
            printer.field(channel, "", format_args!("SHA-256 {}", certificate.sha256));
        }
    }

    pub(crate) fn object(&self) -> Value {
        let chain: Vec<Value> = self.chain.iter().map(Certificate::object).collect();
        let bindings: serde_json::Map<String, Value> =
            self.bindings.iter().map(|b| (b.kind.to_owned(), Value::from(hex(&b.value)))).collect();
        let weaknesses: Vec<Value> = self
            .weaknesses
            .iter()
            .map(|weak| json!({ "name": weak.name, "description": weak.description }))
            .collect();
        let mut object = json!({ "certificates": chain, "bindings": bindings, "weaknesses": weaknesses });
        if let (Some(object), Ok(Value::Object(negotiated))) =
            (object.as_object_mut(), serde_json::to_value(&self.negotiated))
        {
            object.extend(negotiated);
        }
        object
    }
}

impl Certificate {
    fn read(der: &[u8]) -> Self {
        let Ok(summary) = CertificateSummary::from_der(der) else {
            let unknown = || "cannot be read".to_owned();
            return Self {
                subject: unknown(),
                issuer: unknown(),
                names: Vec::new(),
                not_before: unknown(),
                not_after: unknown(),
                key: unknown(),
                signature: unknown(),
                sha256: unknown(),
            };
        };
        let dns = summary.dns_names.iter().map(|name| harmless_message(name));
        let addresses = summary.ip_addresses.iter().map(ToString::to_string);
        Self {
            subject: harmless_message(&summary.subject),
            issuer: harmless_message(&summary.issuer),
            names: dns.chain(addresses).collect(),
            not_before: date(summary.not_before),
            not_after: date(summary.not_after),
            key: harmless_message(&summary.key),
            signature: harmless_message(&summary.signature),
            sha256: hex(&summary.sha256),
        }
    }

    fn object(&self) -> Value {
        json!({
            "subject": self.subject,
            "issuer": self.issuer,
            "names": self.names,
            "not_before": self.not_before,
            "not_after": self.not_after,
            "key": self.key,
            "signature": self.signature,
            "sha256": self.sha256,
        })
    }
}
