//! Just enough HTTP to show a page: every GET has the same answer, whatever it asks for.

use opensspi::sspi_core::{Account, QueryContextAttributes};

use crate::summary::Summary;

/// How long a request may be, in bytes.
const MAX_REQUEST: usize = 1 << 20;

/// A request as it arrives. Nothing of it is kept but its method.
#[derive(Debug, Default)]
pub(super) struct Request {
    method: Vec<u8>,
    method_is_whole: bool,
    length: usize,
    /// The line that is being read has nothing in it yet.
    line_is_empty: bool,
}

/// What a request has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is not whole.
    More,
    /// A GET.
    Get,
    /// Something that is not answered with the page; the status says why.
    Refused(&'static str),
}

impl Request {
    /// Takes more of the request. It is whole with its first empty line; a bare line feed ends a line, too.
    pub(super) fn push(&mut self, data: &[u8]) -> Progress {
        for byte in data {
            self.length += 1;
            if !self.method_is_whole {
                match byte {
                    b' ' => self.method_is_whole = true,
                    b'A'..=b'Z' if self.method.len() < 16 => self.method.push(*byte),
                    _ => return Progress::Refused("400 Bad Request"),
                }
            }
            match byte {
                b'\n' if self.line_is_empty => return self.whole(),
                b'\n' => self.line_is_empty = true,
                b'\r' => {}
                _ => self.line_is_empty = false,
            }
        }
        if self.length > MAX_REQUEST {
            Progress::Refused("431 Request Header Fields Too Large")
        } else {
            Progress::More
        }
    }

    fn whole(&self) -> Progress {
        if self.method == b"GET" { Progress::Get } else { Progress::Refused("405 Method Not Allowed") }
    }
}

/// An answer of this status, with a sentence.
pub(super) fn refusal(status: &str) -> Vec<u8> {
    answer(status, "text/plain; charset=utf-8", &format!("{status}: this server answers GET\n"))
}

/// The page that says what was negotiated. Header and page fit into one record.
pub(super) fn page(attributes: &dyn QueryContextAttributes, account: Option<&Account>) -> Vec<u8> {
    answer("200 OK", "text/html; charset=utf-8", &html(attributes, account))
}

/// The page itself.
pub(super) fn html(attributes: &dyn QueryContextAttributes, account: Option<&Account>) -> String {
    let summary = Summary::of(attributes, account);
    let negotiated = &summary.negotiated;
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let certificate = summary.chain.first().map(|leaf| format!("{}, SHA-256 {}", leaf.subject, leaf.sha256));
    let mut rows = vec![
        ("package", negotiated.package.clone()),
        ("protocol", or_none(&negotiated.protocol)),
        ("cipher", or_none(&negotiated.cipher)),
        ("key exchange", or_none(&negotiated.key_exchange_text())),
        ("name asked for", or_none(&negotiated.target)),
        ("ALPN", or_none(&negotiated.application_protocol)),
        ("client certificate", or_none(&certificate)),
        ("account", or_none(&negotiated.account_text())),
        ("resumed", if negotiated.resumed { "yes" } else { "no" }.to_owned()),
    ];
    if let Some(names) = summary.weak_names() {
        rows.push(("weak", names));
    }
    rows.extend(summary.bindings.iter().map(|binding| (binding.kind, crate::print::hex(&binding.value))));
    let rows: String = rows
        .iter()
        .map(|(label, value)| format!("<tr><th>{}</th><td>{}</td></tr>\n", escape(label), escape(value)))
        .collect();
    document(&rows)
}

/// The page with these rows of a table.
fn document(rows: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>OpenSSPI</title>\n\
         <style>body{{font-family:sans-serif;margin:2em}}th{{text-align:left;padding-right:2em}}td{{font-family:monospace}}</style>\n\
         </head>\n<body>\n<h1>This connection is secured by OpenSSPI</h1>\n<table>\n{rows}</table>\n</body>\n</html>\n"
    )
}

fn answer(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The text as the content of an HTML element.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Progress {
        let whole = Request::default().push(text.as_bytes());
        let mut request = Request::default();
        let mut bytewise = Progress::More;
        for byte in text.bytes() {
            bytewise = request.push(&[byte]);
            if bytewise != Progress::More {
                break;
            }
        }
        assert_eq!(whole, bytewise, "{text:?}");
        whole
    }

    #[test]
    fn any_get_is_a_get() {
        for text in [
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.0\n\n",
            "GET /a?b=<c> HTTP/1.1\r\nHost: x\r\nX: y\r\n\r\n",
            "GET  \r\n\r\n",
            "GET / HTTP/1.1\r\n\r\nand more",
        ] {
            assert_eq!(read(text), Progress::Get, "{text:?}");
        }
    }

    #[test]
    fn a_request_that_is_not_whole_waits_and_one_without_end_does_not() {
        assert_eq!(read("GET / HTTP/1.1\r\nHost: x\r\n"), Progress::More);
        let endless = vec![b'x'; MAX_REQUEST];
        let mut request = Request::default();
        assert_eq!(request.push(b"GET "), Progress::More);
        assert_eq!(request.push(&endless), Progress::Refused("431 Request Header Fields Too Large"));
    }

    #[test]
    fn other_methods_and_what_is_no_http_are_refused() {
        assert_eq!(read("POST / HTTP/1.1\r\n\r\n"), Progress::Refused("405 Method Not Allowed"));
        assert_eq!(read("\x16\x03\x01"), Progress::Refused("400 Bad Request"));
        assert_eq!(read("AAAAAAAAAAAAAAAAAAAAAAAA"), Progress::Refused("400 Bad Request"));
    }

    #[test]
    fn html_has_no_markup_of_the_peer() {
        assert_eq!(escape("<script>\"&'</script>"), "&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;");
    }

    #[test]
    fn an_answer_says_its_length_and_closes() {
        let text = String::from_utf8(refusal("405 Method Not Allowed")).unwrap();
        assert!(text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{text}");
    }
}
