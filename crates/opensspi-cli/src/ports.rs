//! The port table: services by name, and how TLS begins on each.

use crate::exit::Failure;
use crate::settings::unknown;
use crate::starttls::StartTls;

/// How TLS begins on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    /// With the first byte.
    Direct,
    /// After the protocol has agreed on it.
    StartTls(StartTls),
    /// Inside a protocol that is not here yet.
    Later(&'static str),
}

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    pub(crate) begins: Begins,
}

const fn direct(name: &'static str, port: u16) -> Service {
    Service { name, port, begins: Begins::Direct }
}

/// Every service, by port. The last has two spellings: the registered one, and one that is in print.
pub(crate) const SERVICES: [Service; 13] = [
    Service { name: "smtp", port: 25, begins: Begins::StartTls(StartTls::Smtp) },
    direct("https", 443),
    direct("nntps", 563),
    direct("ldaps", 636),
    direct("ftps-data", 989),
    direct("ftps", 990),
    direct("telnets", 992),
    direct("imaps", 993),
    direct("pop3s", 995),
    Service {
        name: "ms-sql-s",
        port: 1433,
        begins: Begins::Later("TLS runs inside TDS there, and TDS comes later"),
    },
    direct("msft-gc-ssl", 3269),
    direct("mfst-gc-ssl", 3269),
    direct("tftps", 3713),
];

impl Service {
    /// The service of that name, in any case.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        SERVICES.iter().find(|service| service.name.eq_ignore_ascii_case(name))
    }

    /// How TLS begins, in a word.
    pub(crate) const fn how(&self) -> &'static str {
        match self.begins {
            Begins::Direct => "direct",
            Begins::StartTls(_) => "STARTTLS",
            Begins::Later(_) => "later",
        }
    }
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) starttls: Option<StartTls>,
}

impl Target {
    /// From `HOST:PORT`, `HOST:SERVICE`, `HOST SERVICE`, `HOST PORT` or `HOST`; an IPv6 address with a port stands in
    /// brackets.
    pub(crate) fn parse(
        address: &str,
        service: Option<&str>,
        starttls: Option<StartTls>,
    ) -> Result<Self, Failure> {
        let (host, behind) = split(address)?;
        if host.is_empty() {
            return Err(Failure::usage(format!("{address:?} names no host")));
        }
        let mut target = Self { host: host.to_owned(), port: 443, starttls };
        match (behind, service) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage("the port is given twice: write HOST:PORT or HOST SERVICE"));
            }
            (Some(port), None) | (None, Some(port)) => target.set_port(port)?,
            (None, None) => target.port = starttls.map_or(443, StartTls::port),
        }
        Ok(target)
    }

    fn set_port(&mut self, port: &str) -> Result<(), Failure> {
        if port.starts_with(|c: char| c.is_ascii_digit()) {
            let number = port.parse().ok().filter(|port| *port != 0);
            self.port =
                number.ok_or_else(|| Failure::usage(format!("{port:?} is not a port (1 to 65535)")))?;
            return Ok(());
        }
        let service = Service::by_name(port)
            .ok_or_else(|| unknown("service", port, &SERVICES.map(|service| service.name)))?;
        self.port = service.port;
        match service.begins {
            Begins::Direct => {}
            Begins::StartTls(protocol) => self.starttls = self.starttls.or(Some(protocol)),
            Begins::Later(why) => {
                return Err(Failure::usage(format!("{} (port {}): {why}", service.name, service.port)));
            }
        }
        Ok(())
    }
}

/// Host, and what stands behind its colon.
fn split(address: &str) -> Result<(&str, Option<&str>), Failure> {
    if let Some(bracketed) = address.strip_prefix('[') {
        let (host, behind) = bracketed
            .split_once(']')
            .ok_or_else(|| Failure::usage(format!("{address:?}: the bracket is not closed")))?;
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if behind.is_empty() => Ok((host, None)),
            None => Err(Failure::usage(format!("{address:?}: a port is written behind a colon"))),
        };
    }
    match address.split_once(':') {
        // More than one colon: an IPv6 address without a port.
        Some((_, port)) if port.contains(':') => Ok((address, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((address, None)),
    }
}

/// The table, for the help.
pub(crate) fn help() -> String {
    SERVICES.iter().fold("Services:\n".to_owned(), |mut out, service| {
        out.push_str(&format!("  {:<12} {:>5}  {}\n", service.name, service.port, service.how()));
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str, service: Option<&str>) -> (String, u16, Option<StartTls>) {
        let target = Target::parse(address, service, None).unwrap();
        (target.host, target.port, target.starttls)
    }

    #[test]
    fn every_service_has_its_port() {
        for (name, port, how) in [
            ("smtp", 25, "STARTTLS"),
            ("https", 443, "direct"),
            ("nntps", 563, "direct"),
            ("ldaps", 636, "direct"),
            ("ftps-data", 989, "direct"),
            ("ftps", 990, "direct"),
            ("telnets", 992, "direct"),
            ("imaps", 993, "direct"),
            ("pop3s", 995, "direct"),
            ("ms-sql-s", 1433, "later"),
            ("msft-gc-ssl", 3269, "direct"),
            ("mfst-gc-ssl", 3269, "direct"),
            ("tftps", 3713, "direct"),
        ] {
            let service = Service::by_name(&name.to_uppercase()).unwrap();
            assert_eq!((service.port, service.how()), (port, how), "{name}");
        }
        assert_eq!(SERVICES.len(), 13);
        assert!(help().contains("msft-gc-ssl   3269  direct"));
    }

    #[test]
    fn a_target_is_read_in_every_form() {
        assert_eq!(parse("example.org:8443", None), ("example.org".to_owned(), 8443, None));
        assert_eq!(parse("example.org", None), ("example.org".to_owned(), 443, None));
        assert_eq!(parse("example.org", Some("ldaps")), ("example.org".to_owned(), 636, None));
        assert_eq!(parse("example.org:imaps", None), ("example.org".to_owned(), 993, None));
        assert_eq!(parse("example.org", Some("smtp")), ("example.org".to_owned(), 25, Some(StartTls::Smtp)));
        assert_eq!(parse("[::1]:4433", None), ("::1".to_owned(), 4433, None));
        assert_eq!(parse("::1", Some("4433")), ("::1".to_owned(), 4433, None));
        assert_eq!(parse("[::1]", None), ("::1".to_owned(), 443, None));
        let pop3 = Target::parse("example.org", None, Some(StartTls::Pop3)).unwrap();
        assert_eq!((pop3.port, pop3.starttls), (110, Some(StartTls::Pop3)));
    }

    #[test]
    fn what_is_no_target_is_refused_as_usage() {
        for (address, service) in [
            ("", None),
            (":443", None),
            ("a:0", None),
            ("a:65536", None),
            ("a:", None),
            ("[::1", None),
            ("[::1]4433", None),
            ("a:443", Some("https")),
            ("a", Some("htpps")),
            ("a", Some("ms-sql-s")),
        ] {
            let failure = Target::parse(address, service, None).unwrap_err();
            assert_eq!(failure.class.code(), 2, "{address} {service:?}");
        }
        let nearest = Target::parse("a", Some("htpps"), None).unwrap_err();
        assert!(nearest.message.contains("did you mean \"https\"?"), "{}", nearest.message);
        let later = Target::parse("a", Some("ms-sql-s"), None).unwrap_err();
        assert!(later.message.contains("TDS comes later"), "{}", later.message);
    }
}
