//! Tokens, and authorization servers of all kinds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::*;
use crate::testing::{now, parts, refused, secret};

/// An authorization server that gives these answers in turn, the last one for ever.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn answering(answers: Vec<(u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/oauth", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (nth, stream) in listener.incoming().enumerate() {
                let stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let request = read_request(&mut reader);
                seen.lock().unwrap().push(request);
                let (status, body) = &answers[nth.min(answers.len() - 1)];
                let body = body.to_string();
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
                );
                let _ = (&stream).write_all((head + &body).as_bytes());
            }
        });
        Self { url, requests }
    }

    fn one(answer: Value) -> Self {
        Self::answering(vec![(200, answer)])
    }

    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn read_request(reader: &mut BufReader<std::net::TcpStream>) -> String {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn provider(directives: &str) -> Arc<dyn Provider> {
    let text = format!("auth.oauth2 x {{\n{directives}\n}}");
    parts(&text, "x").provider.unwrap()
}

fn introspecting(server: &Server, more: &str) -> Arc<dyn Provider> {
    let url = &server.url;
    provider(&format!(
        "introspection_url {url}\nclient_id us\nclient_secret \"s:e c\"\n{more}"
    ))
}

/// Whose token it is, or why it is nobody's.
fn owner(provider: &dyn Provider, token: &str) -> String {
    match now(provider.token(&secret(token))) {
        Ok(user) => user,
        Err(Denied::Credentials(why)) => why,
        Err(Denied::Unavailable(error)) => format!("unavailable: {error:#}"),
    }
}

fn seconds() -> u64 {
    crate::clock::now().unix_seconds.try_into().unwrap()
}

/// RFC 7662 §2.
#[test]
fn the_server_is_asked_about_a_token() {
    let server = Server::one(json!({ "active": true, "username": "ann@example.org" }));
    let provider = introspecting(&server, "");
    assert!(provider.offers().tokens && !provider.offers().passwords);
    assert_eq!(owner(&*provider, "a+b"), "ann@example.org");
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.starts_with("POST /oauth HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("token=a%2Bb"), "{request}");
    // `us:s%3Ae%20c`
    let basic = "authorization: Basic dXM6cyUzQWUlMjBj\r\n";
    assert!(request.contains(basic), "{request}");
    let wrong = now(provider.authenticate("ann@example.org", &secret("a+b")));
    assert!(wrong.is_err(), "a token is no password");
}

#[test]
fn what_the_server_says_of_a_token_counts() {
    let good = json!({
        "active": true, "username": "ann", "scope": "openid mail", "aud": ["imap", "web"],
        "iss": "https://id.example.org", "exp": seconds() + 600,
    });
    let rules = "scope mail\naudience imap\nissuer https://id.example.org";
    let with = |name: &str, value: Value| {
        let mut answer = good.clone();
        answer[name] = value;
        owner(&*introspecting(&Server::one(answer), rules), "x")
    };
    assert_eq!(with("active", json!(true)), "ann");
    assert_eq!(with("active", json!(false)), "the token is not active");
    assert_eq!(with("active", json!("true")), "the token is not active");
    assert_eq!(
        with("scope", json!("mailbox")),
        "the token has not the scope mail"
    );
    assert_eq!(with("scope", json!(["mail"])), "ann");
    assert_eq!(
        with("aud", json!("web")),
        "the token is for another audience"
    );
    assert_eq!(
        with("aud", Value::Null),
        "the token is for another audience"
    );
    assert_eq!(
        with("iss", json!("https://evil")),
        "the token is of another issuer"
    );
    assert_eq!(with("exp", json!(seconds() - 600)), "the token has expired");
    assert_eq!(
        with("nbf", json!(seconds() + 600)),
        "the token is not valid yet"
    );
    assert_eq!(
        with("username", json!("")),
        "the token does not say username"
    );
    assert_eq!(
        with("username", json!(7)),
        "the token does not say username"
    );
}

/// What is unknown is not wrong.
#[test]
fn a_server_that_can_not_tell_is_unavailable() {
    for (status, answer) in [
        (500, json!({})),
        (401, json!({ "error": "invalid_client" })),
        (200, json!([])),
    ] {
        let server = Server::answering(vec![(status, answer)]);
        let said = owner(&*introspecting(&server, ""), "x");
        assert!(said.starts_with("unavailable: "), "{said}");
    }
    let said = owner(&*provider("introspection_url http://127.0.0.1:1/"), "x");
    assert!(said.starts_with("unavailable: 127.0.0.1"), "{said}");
}

#[test]
fn good_tokens_are_remembered_while_they_are_valid() {
    let answer = |end: u64| json!({ "active": true, "username": "ann", "exp": end });
    let server = Server::one(answer(seconds() + 600));
    let provider = introspecting(&server, "cache 1h");
    for _ in 0..3 {
        assert_eq!(owner(&*provider, "x"), "ann");
    }
    assert_eq!(server.asked(), 1);
    owner(&*provider, "y");
    assert_eq!(server.asked(), 2, "another token");
    // Expired but for the leeway: good, and not remembered.
    let server = Server::one(answer(seconds() - 1));
    let provider = introspecting(&server, "cache 1h");
    for _ in 0..2 {
        assert_eq!(owner(&*provider, "x"), "ann");
    }
    assert_eq!(server.asked(), 2);
    let server = Server::one(json!({ "active": false }));
    let provider = introspecting(&server, "cache 1h");
    for _ in 0..2 {
        owner(&*provider, "x");
    }
    assert_eq!(server.asked(), 2, "bad ones are not remembered");
}

/// A key of an authorization server.
struct Key {
    key: EncodingKey,
    jwk: Value,
}

fn key(id: &str) -> Key {
    let pair = KeyPair::generate().unwrap();
    let key = EncodingKey::from_ec_der(&pair.serialize_der());
    let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk["kid"] = json!(id);
    Key { key, jwk }
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example.org", "aud": "imap", "exp": seconds() + 600,
        "email": "ann@example.org", "email_verified": true, "scope": "mail",
    })
}

fn signed(key: &Key, id: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(id.to_owned());
    encode(&header, claims, &key.key).unwrap()
}

const RULES: &str = "issuer https://id.example.org\naudience imap";

/// A provider that has these keys in a file.
fn with_keys(keys: &[&Key], directory: &tempfile::TempDir) -> Arc<dyn Provider> {
    let path = directory.path().join("keys.json");
    let keys: Vec<_> = keys.iter().map(|key| &key.jwk).collect();
    std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    provider(&format!("jwks {}\n{RULES}\nscope mail", path.display()))
}

#[test]
fn signed_tokens_are_checked_here() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (key("1"), key("1"));
    let provider = with_keys(&[&ours], &directory);
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        owner(&*provider, &signed(&ours, "1", &claims))
    };
    assert_eq!(with("x", json!(1)), "ann@example.org");
    for (name, value, why) in [
        ("iss", json!("https://evil"), "InvalidIssuer"),
        ("iss", Value::Null, "iss"),
        ("aud", json!("web"), "InvalidAudience"),
        ("aud", Value::Null, "aud"),
        ("exp", json!(seconds() - 600), "ExpiredSignature"),
        ("exp", Value::Null, "exp"),
        ("nbf", json!(seconds() + 600), "ImmatureSignature"),
        ("scope", json!("web"), "scope mail"),
        ("email", Value::Null, "does not say email"),
        ("email_verified", json!(false), "not verified"),
    ] {
        let said = with(name, value);
        assert!(said.contains(why), "{name}: {said}");
    }
    let said = owner(&*provider, &signed(&theirs, "1", &claims()));
    assert!(said.contains("InvalidSignature"), "{said}");
    let said = owner(&*provider, &signed(&ours, "2", &claims()));
    assert_eq!(said, "the token is signed with an unknown key");
    assert_eq!(owner(&*provider, "x.y"), "the token is no JWT");
}

/// RFC 8725 §2.1: a public key is no secret, and no signature is no signature.
#[test]
fn algorithms_can_not_be_confused() {
    let directory = tempfile::tempdir().unwrap();
    let ours = key("1");
    let provider = with_keys(&[&ours], &directory);
    let public = ours.jwk["x"].as_str().unwrap().as_bytes().to_vec();
    let forged = encode(
        &Header::new(Algorithm::HS256),
        &claims(),
        &EncodingKey::from_secret(&public),
    );
    let said = owner(&*provider, &forged.unwrap());
    assert!(said.contains("signed in a way that is not taken"), "{said}");
    let good = signed(&ours, "1", &claims());
    let (_, rest) = good.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    // {"alg":"none"}
    let said = owner(&*provider, &format!("eyJhbGciOiJub25lIn0.{payload}."));
    assert_eq!(said, "the token is no JWT");
}

#[test]
fn a_secret_may_be_shared_with_the_server() {
    let provider = provider(&format!("secret 0123456789abcdef\n{RULES}"));
    let by_secret = |algorithm, secret: &[u8]| {
        encode(
            &Header::new(algorithm),
            &claims(),
            &EncodingKey::from_secret(secret),
        )
        .unwrap()
    };
    let good = by_secret(Algorithm::HS256, b"0123456789abcdef");
    assert_eq!(owner(&*provider, &good), "ann@example.org");
    let said = owner(&*provider, &by_secret(Algorithm::HS256, b"x"));
    assert!(said.contains("InvalidSignature"), "{said}");
    let ours = key("1");
    let said = owner(&*provider, &signed(&ours, "1", &claims()));
    assert!(said.contains("not taken"), "{said}");
}

/// Keys come from a URL when they are needed, and unknown ones are not looked for all the time.
#[test]
fn keys_are_asked_for() {
    let (old, new) = (key("1"), key("2"));
    let sets = vec![
        (503, json!({})),
        (200, json!({ "keys": [&old.jwk, &new.jwk, {}] })),
    ];
    let server = Server::answering(sets.clone());
    let ours = provider(&format!("jwks {}\n{RULES}", server.url));
    let said = owner(&*ours, &signed(&old, "1", &claims()));
    assert!(said.starts_with("unavailable: "), "{said}");
    let said = owner(&*ours, &signed(&old, "1", &claims()));
    assert!(
        said.starts_with("unavailable: "),
        "not again at once: {said}"
    );
    assert_eq!(server.asked(), 1);

    let server = Server::answering(sets[1..].to_vec());
    let ours = provider(&format!("jwks {}\n{RULES}", server.url));
    assert_eq!(
        owner(&*ours, &signed(&new, "2", &claims())),
        "ann@example.org"
    );
    for _ in 0..3 {
        let said = owner(&*ours, &signed(&new, "3", &claims()));
        assert_eq!(said, "the token is signed with an unknown key");
    }
    assert_eq!(server.asked(), 1, "once a minute at most");
}

#[test]
fn what_has_to_be_said() {
    let refused = |text: &str| refused(&format!("auth.oauth2 x {{\n {text}\n}}"), "x");
    assert!(refused("").contains("exactly one of"));
    assert!(refused("secret x\n jwks y").contains("exactly one of"));
    assert!(refused("secret x").contains("need `issuer` and `audience`"));
    assert!(refused("secret x\n issuer y").contains("need `issuer` and `audience`"));
    let clear = "introspection_url http://id.example.org/";
    assert!(refused(clear).contains("is not https"));
    assert!(refused("introspection_url /x").contains("has no host"));
    assert!(refused("jwks /nonexistent/keys").contains("/nonexistent/keys: "));
    let hint = provider(
        "introspection_url http://localhost/\nscope mail\n\
                         openid_configuration https://id.example.org/x",
    )
    .token_hint();
    assert_eq!(hint.scope.as_deref(), Some("mail"));
    assert_eq!(
        hint.openid_configuration.as_deref(),
        Some("https://id.example.org/x")
    );
}
