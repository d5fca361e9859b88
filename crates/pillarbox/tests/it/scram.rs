//! A client of SCRAM (RFC 5802, RFC 7677), for tests: written from the RFC and from nothing of the
//! server's.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::Client;

/// Logs in with SCRAM-SHA-256-PLUS, bound to what the exporter of TLS gave.
pub(crate) async fn log_in_bound(
    client: &mut Client,
    user: &str,
    password: &str,
    exported: &[u8],
) -> String {
    let header = "p=tls-exporter,,";
    let first = STANDARD.encode(format!("{header}{}", bare(user)));
    let command = format!("s AUTHENTICATE SCRAM-SHA-256-PLUS {first}\r\n");
    client.send(command).await;
    let server_first = challenge(client).await.unwrap();
    let binding = [header.as_bytes(), exported].concat();
    finish(client, user, password, &server_first, &binding).await
}

/// Logs in with SCRAM-SHA-256 and gives the tagged line. Checks the server's proof.
pub(crate) async fn log_in(client: &mut Client, user: &str, password: &str) -> String {
    match first(client, user).await {
        Ok(server_first) => finish(client, user, password, &server_first, b"n,,").await,
        Err(refused) => refused,
    }
}

/// Sends the first message; the server's, or the tagged line.
pub(crate) async fn first(client: &mut Client, user: &str) -> Result<String, String> {
    let bare = STANDARD.encode(format!("n,,{}", bare(user)));
    client
        .send(format!("s AUTHENTICATE SCRAM-SHA-256 {bare}\r\n"))
        .await;
    challenge(client).await
}

fn bare(user: &str) -> String {
    format!("n={user},r=clientnonce")
}

async fn challenge(client: &mut Client) -> Result<String, String> {
    let line = client.line().await;
    match line.strip_prefix("+ ") {
        Some(challenge) => {
            let bytes = STANDARD.decode(challenge).unwrap();
            Ok(String::from_utf8(bytes).unwrap())
        }
        None => Err(line.strip_prefix("s ").unwrap().to_owned()),
    }
}

async fn finish(
    client: &mut Client,
    user: &str,
    password: &str,
    server_first: &str,
    binding: &[u8],
) -> String {
    let mut fields = server_first.split(',').map(|field| &field[2..]);
    let (nonce, salt) = (fields.next().unwrap(), fields.next().unwrap());
    let iterations = fields.next().unwrap().parse().unwrap();
    assert!(
        nonce.starts_with("clientnonce") && nonce.len() > 30,
        "{nonce}"
    );
    let salt = STANDARD.decode(salt).unwrap();
    let mut salted = [0; 32];
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(
        algorithm,
        iterations,
        &salt,
        password.as_bytes(),
        &mut salted,
    );
    let client_key = sign(&salted, "Client Key");
    let stored = digest::digest(&digest::SHA256, &client_key);
    let without_proof = format!("c={},r={nonce}", STANDARD.encode(binding));
    let said = format!("{},{server_first},{without_proof}", bare(user));
    let signature = sign(stored.as_ref(), &said);
    let proof: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(a, b)| a ^ b)
        .collect();
    let message = format!("{without_proof},p={}", STANDARD.encode(proof));
    client
        .send(format!("{}\r\n", STANDARD.encode(message)))
        .await;
    match challenge(client).await {
        Ok(verifier) => {
            let due = sign(&sign(&salted, "Server Key"), &said);
            assert_eq!(verifier, format!("v={}", STANDARD.encode(due)));
            client.send("\r\n").await;
            client.until("s").await.pop().unwrap()
        }
        Err(refused) => refused,
    }
}

fn sign(key: &[u8], data: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, data.as_bytes()).as_ref().to_vec()
}
