//! As much of HTTP as carries Digest: a server of one resource, and a client of one request at a time.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sspi_core::{
    AcceptRequest, AscReq, CredentialsHandle, EntityBody, HttpEntity, HttpRequest, InitializeRequest, IscReq,
    Step,
};

use super::advance;

/// What the resource holds.
pub const CONTENT: &str = "the resource\n";

/// A request or a response.
#[derive(Debug, Default)]
pub struct Message {
    /// The first line.
    pub first: String,
    /// The header fields, their names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// The values of a header field, a line each.
    #[must_use]
    pub fn all(&self, name: &str) -> String {
        let values = self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join("\n")
    }

    fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut message = Self::default();
        if stream.read_line(&mut message.first)? == 0 {
            return Ok(None);
        }
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            message.fields.push((name.to_lowercase(), value.trim().to_owned()));
        }
        if message.all("transfer-encoding").eq_ignore_ascii_case("chunked") {
            message.body = chunks(stream)?;
        } else {
            let length: usize = message.all("content-length").parse().unwrap_or(0);
            message.body.resize(length.min(1 << 20), 0);
            stream.read_exact(&mut message.body)?;
        }
        Ok(Some(message))
    }
}

fn chunks(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length =
            usize::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16).unwrap_or(0);
        let mut chunk = vec![0; length.min(1 << 20) + 2];
        stream.read_exact(&mut chunk)?;
        chunk.truncate(length);
        if chunk.is_empty() {
            return Ok(body);
        }
        body.extend(chunk);
    }
}

/// A server that listens until the test ends.
#[derive(Debug)]
pub struct Server {
    port: u16,
}

impl Server {
    /// Starts it with these credentials.
    ///
    /// # Errors
    ///
    /// There is no port.
    pub fn start(credentials: Arc<dyn CredentialsHandle>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let credentials = Arc::clone(&credentials);
                // A connection that breaks is the client's affair: the test looks at what the client says.
                thread::spawn(move || drop(serve(stream, &*credentials)));
            }
        });
        Ok(Self { port })
    }

    /// The resource's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/resource?a=b,c", self.port)
    }
}

fn serve(stream: TcpStream, credentials: &dyn CredentialsHandle) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut out = stream.try_clone()?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = Message::read(&mut stream)? {
        let mut line = request.first.split_whitespace();
        let (method, uri) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
        let http = HttpRequest::new(method, uri).with_entity(request.body.clone());
        http.response_entity.set(EntityBody::Bytes(CONTENT.as_bytes().to_vec()));
        let accept =
            AcceptRequest { http: Some(http), flags: AscReq::EXTENDED_ERROR, ..AcceptRequest::default() };
        let mut server = credentials.accept(&accept).map_err(io::Error::other)?;
        let answer = match advance(&mut *server, request.all("authorization").as_bytes()) {
            Ok(Step::Complete { context, token, .. }) => {
                let user = context.security_context_token().map_err(io::Error::other)?.name;
                format!(
                    "HTTP/1.1 200 OK\r\nAuthentication-Info: {}\r\nX-User: {user}\r\nContent-Length: {}\r\n\r\n{CONTENT}",
                    String::from_utf8_lossy(&token),
                    CONTENT.len()
                )
            }
            Ok(Step::Continue { token, .. }) => unauthorized(&token),
            Err(failure) => unauthorized(&failure.token),
            Ok(other) => return Err(io::Error::other(format!("{other:?}"))),
        };
        out.write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn unauthorized(challenges: &[u8]) -> String {
    let challenges = String::from_utf8_lossy(challenges);
    let fields: String =
        challenges.lines().map(|line| format!("WWW-Authenticate: Digest {line}\r\n")).collect();
    format!("HTTP/1.1 401 Unauthorized\r\n{fields}Content-Length: 0\r\n\r\n")
}

/// What became of a request.
#[derive(Debug)]
pub struct Fetched {
    /// The last response.
    pub response: Message,
    /// The client has seen that the server knows the password.
    pub is_mutual: bool,
    /// How many requests it took.
    pub requests: usize,
}

/// Gets a resource with Digest, over one connection.
///
/// # Errors
///
/// The package refuses the server, or the connection breaks. A password that the server does not take is no error: the last
/// response says 401.
pub fn fetch(port: u16, path: &str, credentials: &dyn CredentialsHandle) -> io::Result<Fetched> {
    let http = HttpRequest::new("GET", path);
    let http = HttpRequest { response_entity: HttpEntity::later(), ..http };
    let request = InitializeRequest {
        target_name: Some(format!("http/127.0.0.1:{port}")),
        flags: IscReq::MUTUAL_AUTH,
        http: Some(http.clone()),
        ..InitializeRequest::default()
    };
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut out = stream.try_clone()?;
    let mut stream = BufReader::new(stream);
    let mut client = credentials.initialize(&request).map_err(io::Error::other)?;
    let mut input = Vec::new();
    for requests in 1.. {
        let authorization = match client.initialize_security_context(&input) {
            Ok(Step::Continue { token, .. }) => String::from_utf8_lossy(&token).into_owned(),
            Ok(other) => return Err(io::Error::other(format!("{other:?}"))),
            Err(failure) => return Err(io::Error::new(io::ErrorKind::PermissionDenied, failure.error)),
        };
        let field = match authorization.as_str() {
            "" => String::new(),
            token => format!("Authorization: Digest {token}\r\n"),
        };
        write!(out, "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{field}\r\n")?;
        let response = Message::read(&mut stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if !response.first.contains(" 401 ") {
            let info = response.all("authentication-info");
            http.response_entity.set(EntityBody::Bytes(response.body.clone()));
            let verdict = client.initialize_security_context(info.as_bytes());
            let is_mutual = matches!(verdict, Ok(Step::Complete { .. }));
            return Ok(Fetched { response, is_mutual, requests });
        }
        input = response.all("www-authenticate").into_bytes();
    }
    Err(io::Error::other("it does not come to an end"))
}
