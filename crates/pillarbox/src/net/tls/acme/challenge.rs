//! How we show an authority that a name is ours.
//!
//! There is one [`Board`] in the process, where whoever is asked by an authority finds the answer:
//! the listeners under TLS for tls-alpn-01 (RFC 8737), the small HTTP server for http-01 (RFC 8555
//! §8.3). For dns-01 (RFC 8555 §8.4) a program is run that knows the zone.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// The protocol id under which authorities look at the certificate (RFC 8737 §6.2).
pub(in super::super) const ALPN: &[u8] = b"acme-tls/1";
/// How long the program may take: some providers are slow to take a change.
const HOOK_PATIENCE: Duration = Duration::from_secs(120);
/// What is read of what the program says, in bytes.
const HOOK_OUTPUT_BYTES: u64 = 4_096;

/// The answers that authorities may ask for now. Bounded by the number of names in the
/// configuration, since each is taken off when its order ends.
#[derive(Default)]
pub(super) struct Board {
    /// By name.
    certificates: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    /// By token.
    tokens: Mutex<HashMap<String, String>>,
}

/// The program for dns-01.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    /// The program and its first arguments.
    pub(super) command: Vec<String>,
    /// The name of the record instead of `_acme-challenge.DOMAIN`, for zones that delegate it.
    pub(super) record: Option<String>,
    /// How long to wait until all servers of the zone know.
    pub(super) wait: Duration,
}

impl Board {
    /// Answers for a name under TLS, with the digest of the key authorization.
    ///
    /// # Errors
    ///
    /// No certificate can be made for such a name.
    pub(super) fn post_certificate(&self, name: &str, digest: &[u8]) -> anyhow::Result<()> {
        let certificate = Arc::new(certificate(name, digest)?);
        lock(&self.certificates).insert(name.to_owned(), certificate);
        Ok(())
    }

    /// Answers over HTTP.
    pub(super) fn post_token(&self, token: &str, answer: &str) {
        lock(&self.tokens).insert(token.to_owned(), answer.to_owned());
    }

    /// Takes an answer off, whichever it is.
    pub(super) fn take_off(&self, name: &str, token: &str) {
        lock(&self.certificates).remove(name);
        lock(&self.tokens).remove(token);
    }

    /// The certificate for whoever asks under TLS. Names are compared without regard to case.
    pub(super) fn certificate(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = name?.to_ascii_lowercase();
        lock(&self.certificates).get(&name).cloned()
    }

    /// The answer for a token.
    pub(super) fn token(&self, token: &str) -> Option<String> {
        lock(&self.tokens).get(token).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an authority asks, who offers this one protocol and no other (RFC 8737 §3).
pub(super) fn is_asked(hello: &ClientHello<'_>) -> bool {
    let Some(mut offered) = hello.alpn() else {
        return false;
    };
    offered.next() == Some(ALPN) && offered.next().is_none()
}

/// A certificate that vouches for itself, with the digest in a critical extension (RFC 8737 §3).
fn certificate(name: &str, digest: &[u8]) -> anyhow::Result<CertifiedKey> {
    let mut params = rcgen::CertificateParams::new([name.to_owned()])?;
    let identifier = rcgen::CustomExtension::new_acme_identifier(digest);
    params.custom_extensions = vec![identifier];
    let key = rcgen::KeyPair::generate()?;
    let chain = vec![params.self_signed(&key)?.der().clone()];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    // Unchecked: whoever understands no critical extension of this kind would refuse it.
    let key = aws_lc_rs::default_provider()
        .key_provider
        .load_private_key(key)?;
    Ok(CertifiedKey::new(chain, key))
}

impl Hook {
    /// The record of a domain.
    pub(super) fn record(&self, domain: &str) -> String {
        self.record
            .clone()
            .unwrap_or_else(|| format!("_acme-challenge.{domain}"))
    }

    /// Has the record made (`present`) or removed (`cleanup`).
    ///
    /// # Errors
    ///
    /// The program can't be run, takes too long, or fails; with what it said. The record may be
    /// there or not.
    pub(super) async fn run(&self, what: &str, domain: &str, value: &str) -> anyhow::Result<()> {
        let (program, args) = self
            .command
            .split_first()
            .context("dns_hook names no program")?;
        let record = self.record(domain);
        let mut child = Command::new(program)
            .args(args)
            .args([what, domain, &record, value])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.clone())?;
        let mut said = Vec::new();
        let ended = async {
            if let Some(stderr) = child.stderr.take() {
                stderr
                    .take(HOOK_OUTPUT_BYTES)
                    .read_to_end(&mut said)
                    .await?;
            }
            child.wait().await
        };
        let status = timeout(HOOK_PATIENCE, ended)
            .await
            .map_err(|_| anyhow!("{program} {what} takes too long"))??;
        if !status.success() {
            bail!(
                "{program} {what}: {status}: {}",
                String::from_utf8_lossy(&said).trim()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(script: &str) -> Hook {
        Hook {
            command: ["sh", "-c", script, "hook"].map(str::to_owned).to_vec(),
            record: None,
            wait: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn the_program_is_told_what_to_do_with_which_record() {
        let directory = tempfile::tempdir().unwrap();
        let told = directory.path().join("told");
        let hook = hook(&format!("echo \"$@\" > {}", told.display()));
        hook.run("present", "mx.test", "VALUE").await.unwrap();
        let text = std::fs::read_to_string(&told).unwrap();
        assert_eq!(text, "present mx.test _acme-challenge.mx.test VALUE\n");
        let delegating = Hook {
            record: Some("mx.acme.test".to_owned()),
            ..hook
        };
        delegating.run("cleanup", "mx.test", "VALUE").await.unwrap();
        let text = std::fs::read_to_string(&told).unwrap();
        assert_eq!(text, "cleanup mx.test mx.acme.test VALUE\n");
    }

    #[tokio::test]
    async fn a_program_that_fails_is_quoted() {
        let error = hook("echo no such zone >&2; exit 3")
            .run("present", "mx.test", "v")
            .await;
        let text = error.unwrap_err().to_string();
        assert!(text.contains("exit status: 3: no such zone"), "{text}");
        let missing = Hook {
            command: vec!["/nowhere/hook".to_owned()],
            ..hook("")
        };
        let text = format!(
            "{:#}",
            missing.run("present", "mx.test", "v").await.unwrap_err()
        );
        assert!(text.contains("/nowhere/hook: No such file"), "{text}");
    }

    #[tokio::test]
    async fn a_program_that_says_too_much_is_cut_short() {
        let error = hook("yes >&2; exit 1")
            .run("present", "mx.test", "v")
            .await
            .unwrap_err();
        assert!(error.to_string().len() < 5_000);
    }

    #[test]
    fn answers_are_there_until_they_are_taken_off() {
        let board = Board::default();
        board.post_certificate("mx.test", &[7; 32]).unwrap();
        board.post_token("token", "token.thumbprint");
        assert!(board.certificate(Some("MX.test")).is_some());
        assert!(board.certificate(Some("other.test")).is_none());
        assert!(board.certificate(None).is_none());
        assert_eq!(board.token("token").as_deref(), Some("token.thumbprint"));
        board.take_off("mx.test", "token");
        assert!(board.certificate(Some("mx.test")).is_none());
        assert!(board.token("token").is_none());
    }
}
