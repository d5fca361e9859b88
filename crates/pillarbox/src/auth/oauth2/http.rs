//! Requests to authorization servers, with bounds on time and size.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// How long an answer may take. Somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read. Key sets have a few KB.
const ANSWER_BYTES: usize = 512 * 1024;

/// An answer of these servers: an object.
pub(super) type Object = Map<String, Value>;

/// Connections to one server, used again and again.
pub(super) struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// A URL that requests may go to.
pub(super) fn url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| format!("{text} is no URL"))?;
    let host = uri.host().ok_or_else(|| format!("{text} has no host"))?;
    let here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if here => Ok(uri),
        _ => Err(format!("{text} is not https, and tokens don't go in clear")),
    }
}

impl Client {
    pub(super) fn new(tls: &ClientConfig) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_PATIENCE));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Self(legacy::Client::builder(TokioExecutor::new()).build(https))
    }

    /// GET.
    pub(super) async fn get(&self, url: &Uri) -> Result<Object, anyhow::Error> {
        let request = Request::builder()
            .uri(url)
            .header(ACCEPT, "application/json");
        self.carry(request.body(Full::default())?).await
    }

    /// POST of a form with one field, as a client of the server (RFC 6749 §2.3.1).
    pub(super) async fn post(
        &self,
        url: &Uri,
        (id, password): (&str, &Secret),
        (name, value): (&str, &Secret),
    ) -> Result<Object, anyhow::Error> {
        let body = [name.as_bytes(), b"=", escape(value.reveal()).as_bytes()].concat();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(body))?;
        if !id.is_empty() {
            request
                .headers_mut()
                .insert(AUTHORIZATION, basic(id, password)?);
        }
        self.carry(request).await
    }

    async fn carry(&self, request: Request<Full<Bytes>>) -> Result<Object, anyhow::Error> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let answered = async {
            let response = self.0.request(request).await?;
            let status = response.status();
            ensure!(status.is_success(), "status {status}");
            let body = Limited::new(response.into_body(), ANSWER_BYTES);
            let body = body.collect().await.map_err(|error| anyhow!(error))?;
            serde_json::from_slice(&body.to_bytes()).context("the answer is no JSON object")
        };
        let answer = tokio::time::timeout(PATIENCE, answered).await;
        answer
            .unwrap_or_else(|_| Err(anyhow!("it takes too long")))
            .with_context(|| host)
    }
}

fn basic(id: &str, password: &Secret) -> Result<HeaderValue, anyhow::Error> {
    let pair = format!("{}:{}", *escape(id.as_bytes()), *escape(password.reveal()));
    let pair = Zeroizing::new(pair);
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Percent-encoding of all that is not unreserved (RFC 3986 §2.3).
fn escape(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 3));
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte.into());
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
