//! HTTP in both directions: the requests of the order protocol, and the small server that answers
//! http-01 (RFC 8555 §8.3).

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use tokio::time::timeout;

use super::challenge::Board;
use crate::net::Connection;

/// How long the authority may take for one answer.
const REQUEST_PATIENCE: Duration = Duration::from_secs(60);
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer of an authority. Chains and directories have a few KB.
const ANSWER_BYTES: usize = 1024 * 1024;
/// RFC 8555 §6.1: clients name themselves.
const NAME: &str = concat!("pillarbox/", env!("CARGO_PKG_VERSION"), " instant-acme");

/// Where the answers to http-01 are (RFC 8555 §8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// How long somebody who asks may take for all of it.
const VISIT: Duration = Duration::from_secs(20);
/// The largest head of a request that is read, in bytes.
const REQUEST_BYTES: usize = 16 * 1024;

type Answer = Result<BytesResponse, Error>;

/// Carries requests to an authority, with bounds on time and size.
#[derive(Clone)]
pub(super) struct Courier {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    retry_after: Arc<Mutex<Option<Duration>>>,
}

impl Courier {
    /// A courier who trusts whom this configuration trusts.
    pub(super) fn new(config: &ClientConfig) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_PATIENCE));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(config.clone())
            .https_only()
            .enable_http1()
            .wrap_connector(http);
        Self {
            client: Client::builder(TokioExecutor::new()).build(https),
            retry_after: Arc::default(),
        }
    }

    /// How long the authority wants us to stay away, if it said so when it refused last.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        *self
            .retry_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry(self, request: Request<BodyWrapper<Bytes>>) -> Answer {
        let response = self.client.request(request).await.map_err(other)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        let body = body.map_err(Error::Other)?.to_bytes();
        if parts.status.is_client_error() || parts.status.is_server_error() {
            let seconds = parts
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok());
            let seconds = seconds.and_then(|text| text.trim().parse().ok());
            *self
                .retry_after
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = seconds.map(Duration::from_secs);
            if !is_json(parts.headers.get(CONTENT_TYPE)) {
                return Err(Error::Other(format!("HTTP status {}", parts.status).into()));
            }
        }
        Ok(BytesResponse {
            parts,
            body: Box::new(body),
        })
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}

/// `application/json` or, for problems, `application/problem+json` (RFC 8555 §6.7).
fn is_json(kind: Option<&HeaderValue>) -> bool {
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.contains("json"))
}

impl HttpClient for Courier {
    fn request(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(NAME));
        let carried = timeout(REQUEST_PATIENCE, self.clone().carry(request));
        Box::pin(async move {
            carried
                .await
                .unwrap_or_else(|_| Err(Error::Other("the CA takes too long".into())))
        })
    }
}

/// Answers one who asks for tokens; a request and its answer, then the connection ends.
pub(super) async fn serve(connection: Connection, board: Arc<Board>) {
    let mut shutdown = connection.shutdown.clone();
    let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &board);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(VISIT)
        .max_buf_size(REQUEST_BYTES)
        .serve_connection(TokioIo::new(connection.stream), answer);
    tokio::select! {
        // Whatever went wrong is the visitor's.
        _ = timeout(VISIT, served) => {}
        () = shutdown.stopping() => {}
    }
}

fn answer(method: &Method, path: &str, board: &Board) -> Response<Full<Bytes>> {
    let token = path
        .strip_prefix(CHALLENGES)
        .filter(|_| method == Method::GET);
    let (status, text) = match token.and_then(|token| board.token(token)) {
        Some(answer) => (StatusCode::OK, answer),
        None => (StatusCode::NOT_FOUND, "There is nothing here.\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_are_answered() {
        let board = Board::default();
        board.post_token("abc", "abc.thumbprint");
        let status = |method, path| answer(&method, path, &board).status().as_u16();
        assert_eq!(status(Method::GET, "/.well-known/acme-challenge/abc"), 200);
        assert_eq!(status(Method::GET, "/.well-known/acme-challenge/xyz"), 404);
        assert_eq!(status(Method::GET, "/.well-known/acme-challenge/"), 404);
        assert_eq!(status(Method::GET, "/"), 404);
        assert_eq!(status(Method::POST, "/.well-known/acme-challenge/abc"), 404);
    }
}
