//! Names of targets and of listeners: however one is spelled, it is the same.

use core::net::IpAddr;

/// What of a target's name says who it is.
pub(super) struct Name {
    service: Option<String>,
    host: String,
}

impl Name {
    /// What the text can mean. A service's name is `service/host`, `service/host:port`, `service/host/name`, and each may have
    /// `@realm` behind it. GSS-API has `service@host`: where there is no slash, nobody can tell that from a host in a realm.
    ///
    /// Spec: GSS section 4.1.
    pub(super) fn readings(text: &str) -> impl Iterator<Item = Self> {
        let (name, behind) = match text.split_once('@') {
            Some((name, behind)) => (name, Some(behind)),
            None => (text, None),
        };
        let (service, rest) = match name.split_once('/') {
            Some((service, rest)) => (Some(service), rest),
            None => (None, name),
        };
        let host = rest.split('/').next().unwrap_or(rest);
        let of_gss = behind.filter(|_| service.is_none()).map(|host| Self::of(Some(name), host));
        core::iter::once(Self::of(service, host)).chain(of_gss)
    }

    fn of(service: Option<&str>, host: &str) -> Self {
        Self { service: service.map(|service| service.trim().to_lowercase()), host: Place::of(host).host }
    }

    /// Whether it is everybody's.
    pub(super) fn is_any(&self) -> bool {
        self.service.is_none() && self.host == "*"
    }

    /// Whether a rule about this one is about `other`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self.service.is_some() && self.service != other.service {
            return false;
        }
        match self.host.strip_prefix('*') {
            Some(suffix) => other.host.len() > suffix.len() && other.host.ends_with(suffix),
            None => self.host == other.host,
        }
    }
}

/// A host, or whatever somebody calls a listener, and perhaps a port.
pub(super) struct Place {
    host: String,
    port: Option<String>,
}

impl Place {
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, behind)) => (address, behind.strip_prefix(':')),
            // More colons than one are those of an address.
            None => match text.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (text, None),
            },
        };
        let host = host.trim_end_matches('.').to_lowercase();
        // An address has many spellings, too.
        let host = host.parse::<IpAddr>().map_or(host, |address| address.to_canonical().to_string());
        Self { host, port: port.map(str::to_owned) }
    }

    /// Whether it is every place.
    pub(super) fn is_any(&self) -> bool {
        self.is_any_host() && self.port.is_none()
    }

    fn is_any_host(&self) -> bool {
        matches!(self.host.as_str(), "*" | "")
    }

    /// Whether a rule about this one is about `other`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        (self.is_any_host() || self.host == other.host) && (self.port.is_none() || self.port == other.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(rule: &str, target: &str) -> bool {
        Name::readings(rule).any(|rule| Name::readings(target).any(|target| rule.covers(&target)))
    }

    #[test]
    fn a_rule_fits_its_target_however_either_is_spelled() {
        let spellings = [
            "HTTP/www.example",
            "http/WWW.Example.",
            "HTTP/www.example:8080",
            "HTTP/www.example.:8080",
            "HTTP/www.example/www.example",
            "HTTP/www.example:80/name",
            "HTTP/www.example@EXAMPLE",
            "HTTP/www.example:80@EXAMPLE",
            " HTTP/www.example ",
            "HTTP@www.example",
            "http @ WWW.example.",
        ];
        for rule in spellings.iter().chain(&["www.example", "www.example.", "*.example", "HTTP/*.example."]) {
            for target in spellings {
                assert!(fits(rule, target), "{rule:?} for {target:?}");
            }
        }
        for target in ["cifs/www.example", "www.example", "HTTP/www.example.org", "HTTP/example", ""] {
            assert!(!fits("HTTP/www.example", target), "{target:?}");
        }
        assert!(!fits("*.example", "HTTP/.example."), "a star stands for something");
        assert!(fits("www.example", "www.example@EXAMPLE"), "a host in a realm");
        assert!(!fits("HTTP/www.example", "cifs@www.example") && !fits("www.example", "HTTP@ftp.example"));
        assert!(!fits("example", "HTTP/www.example@example"), "behind a slash it is a realm");
    }

    #[test]
    fn a_rule_fits_an_address_however_either_is_spelled() {
        let spellings = ["HTTP/::1", "HTTP/[::1]", "HTTP/[::1]:80", "HTTP/[0:0::0001]:80@A", "HTTP/[::1]/x"];
        for rule in spellings.iter().chain(&["::1", "[::1]", "[::1]:443"]) {
            for target in spellings {
                assert!(fits(rule, target), "{rule:?} for {target:?}");
            }
        }
        assert!(fits("192.0.2.1", "cifs/[::ffff:192.0.2.1]:445"));
        assert!(!fits("::1", "HTTP/[::2]") && !fits("::1", "HTTP/[::1"));
    }
}
