//! A page in HTTP, plain or inside TLS, for those who log on with a package that secures no streams: NTLM, Negotiate, Digest.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::{TokioIo, TokioTimer};
use opensspi::sspi_http::{AuthLayer, Authenticated, HttpConnection, RequestBody};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::timeout;
use tower_layer::Layer as _;
use tower_service::Service as _;

use super::http::html;

/// Serves a connection to its end. Each request has as long as the deadline says; the first has `waited` less, which is how long
/// somebody has waited for it.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    layer: &AuthLayer,
    stream: S,
    connection: HttpConnection,
    deadline: Option<Duration>,
    waited: Duration,
) -> io::Result<()> {
    let service = layer.layer(Page);
    let begun = Notify::new();
    let serve = hyper::service::service_fn(|mut request: Request<hyper::body::Incoming>| {
        begun.notify_one();
        request.extensions_mut().insert(connection.clone());
        let mut service = service.clone();
        async move { service.call(request).await }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new());
    server.header_read_timeout(deadline);
    let served = server.serve_connection(TokioIo::new(stream), serve);
    let late = async {
        match deadline {
            Some(limit) if timeout(limit.saturating_sub(waited), begun.notified()).await.is_err() => {}
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        served = served => served.map_err(io::Error::other),
        () = late => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The page that says who asks for it.
#[derive(Clone, Copy)]
struct Page;

impl<B> tower_service::Service<Request<RequestBody<B>>> for Page {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<B>>) -> Self::Future {
        let known = request.extensions().get::<Authenticated>();
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        let response = match known {
            Some(known) if is_get => {
                let page = html(known.attributes().as_ref(), Some(known.account()));
                answer(StatusCode::OK, "text/html; charset=utf-8", page)
            }
            _ => {
                let text = "this server answers GET\n".to_owned();
                answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", text)
            }
        };
        std::future::ready(Ok(response))
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
