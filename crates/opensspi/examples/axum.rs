//! An axum application whose users log on with NTLM (or Negotiate, or Digest: the configuration says it).
//!
//! ```text
//! opensspi account add alice --domain CORP --file logons.toml
//! printf 'package = "NTLM"\n[logon]\naccounts = "file:logons.toml"\n' > opensspi.toml
//! cargo run -p opensspi --features axum,ntlm --example axum opensspi.toml
//! opensspi get http://127.0.0.1:8080/ --package NTLM --user 'CORP\alice' --password env:PASSWORD
//! ```

use axum::extract::Extension;
use axum::{Router, routing::get, serve};
use opensspi::Sspi;
use opensspi::sspi_http::{Authenticated, HttpConnection};

async fn hello(Extension(user): Extension<Authenticated>) -> String {
    format!("Hello, {}! You came with {}.\n", user.account().name, user.scheme())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sspi = Sspi::from_file(std::env::args().nth(1).unwrap_or("opensspi.toml".into()))?;
    let app = Router::new().route("/", get(hello)).layer(sspi.http_layer()?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    // Each request carries its connection: that is what NTLM and Negotiate authenticate.
    serve(listener, app.into_make_service_with_connect_info::<HttpConnection>()).await?;
    Ok(())
}
