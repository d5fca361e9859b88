//! What certificates say for SASL: who a client is (EXTERNAL, RFC 4422 appendix A), and what proofs
//! can be bound to (`tls-server-end-point`, RFC 5929 §4).

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{self, Algorithm, SHA256, SHA384, SHA512};
use pillarbox_config::{Bound, Error};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

use super::client::add_roots;

/// Which name in a client's certificate is the user's.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum ClientName {
    /// The e-mail addresses among its alternative names.
    #[default]
    SanEmail,
    /// The DNS names among them.
    SanDns,
    /// The common name of its subject.
    Cn,
    /// The whole subject, as in `CN=Ann, O=Example`.
    Subject,
}

/// The words of the configuration.
pub(super) const CLIENT_NAMES: &[&str] = &["san_email", "san_dns", "cn", "subject"];
/// Whether clients have to show a certificate.
pub(super) const CLIENT_AUTH: &[&str] = &["request", "require"];
/// Names of one certificate that count.
const NAMES: usize = 16;

/// Who may show a certificate, and what it is good for.
pub(super) struct Clients {
    roots: RootCertStore,
    required: bool,
    pub(super) name: ClientName,
}

impl Clients {
    /// What a block says of clients' certificates; nothing without `client_ca`.
    pub(super) fn build(bound: &Bound<'_>, state_dir: &Path) -> Result<Option<Self>, Vec<Error>> {
        let Some(node) = bound.node("client_ca") else {
            let mut useless = ["client_auth", "client_name"].into_iter();
            return match useless.find_map(|name| bound.node(name)) {
                Some(node) => {
                    let message = format!("{} has no effect without client_ca", node.name.text);
                    Err(vec![Error::new(node.span(), message)])
                }
                None => Ok(None),
            };
        };
        let mut roots = RootCertStore::empty();
        let mut errors = Vec::new();
        for word in &node.args {
            if let Err(reason) = add_roots(&mut roots, &state_dir.join(&word.text)) {
                errors.push(Error::new(word.span, format!("client_ca: {reason}")));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Some(Self {
            roots,
            required: bound.choice("client_auth") == "require",
            name: match bound.choice("client_name") {
                "san_dns" => ClientName::SanDns,
                "cn" => ClientName::Cn,
                "subject" => ClientName::Subject,
                _ => ClientName::SanEmail,
            },
        }))
    }

    /// What verifies them.
    pub(super) fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        let (roots, provider) = (Arc::new(self.roots.clone()), Arc::clone(provider));
        let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let builder = match self.required {
            true => builder,
            false => builder.allow_unauthenticated(),
        };
        let built = builder.build();
        built.map_err(|error| rustls::Error::General(error.to_string()))
    }
}

/// The names in a verified certificate that can be a user's.
pub(super) fn names(certificate: &[u8], kind: ClientName) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let san = certificate.subject_alternative_name().ok().flatten();
    let san = san.map(|san| san.value.general_names.as_slice());
    let alternative = san.unwrap_or_default().iter();
    let subject = certificate.subject();
    let mut names: Vec<String> = match kind {
        ClientName::SanEmail => alternative
            .filter_map(|name| match name {
                GeneralName::RFC822Name(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect(),
        ClientName::SanDns => alternative
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect(),
        ClientName::Cn => subject
            .iter_common_name()
            .filter_map(|name| name.as_str().ok().map(str::to_owned))
            .collect(),
        ClientName::Subject => vec![subject.to_string()],
    };
    // A NUL has ended names too early elsewhere.
    names.retain(|name| !name.is_empty() && !name.chars().any(char::is_control));
    names.truncate(NAMES);
    names
}

/// The hash of a server's certificate by the hash function of its signature; SHA-256 instead of MD5
/// and SHA-1 (RFC 5929 §4.1). None if the signature has no hash function of that kind.
pub(super) fn end_point(certificate: &[u8]) -> Option<Box<[u8]>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let signature = &parsed.signature_algorithm;
    let hash = match SignatureAlgorithm::try_from(signature).ok()? {
        SignatureAlgorithm::RSASSA_PSS(parameters) => {
            of_hash(&parameters.hash_algorithm_oid().to_id_string())
        }
        _ => of_signature(&signature.algorithm.to_id_string()),
    };
    Some(digest::digest(hash?, certificate).as_ref().into())
}

fn of_signature(id: &str) -> Option<&'static Algorithm> {
    Some(match id {
        // RSA with MD5, SHA-1 and SHA-256; ECDSA with SHA-1 and SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &SHA512,
        _ => return None,
    })
}

fn of_hash(id: &str) -> Option<&'static Algorithm> {
    Some(match id {
        "1.3.14.3.2.26" | "2.16.840.1.101.3.4.2.1" => &SHA256,
        "2.16.840.1.101.3.4.2.2" => &SHA384,
        "2.16.840.1.101.3.4.2.3" => &SHA512,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
        let email = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
        params.subject_alt_names.push(email("ann@example.org"));
        params.subject_alt_names.push(email("ann@example.com"));
        params.distinguished_name.push(DnType::CommonName, "Ann");
        let key = KeyPair::generate_for(algorithm).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn names_are_found() {
        let certificate = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let names = |kind| names(&certificate, kind);
        let addresses = ["ann@example.org", "ann@example.com"];
        assert_eq!(names(ClientName::SanEmail), addresses);
        assert_eq!(names(ClientName::SanDns), ["mx.example.org"]);
        assert!(names(ClientName::Cn).contains(&"Ann".to_owned()));
        assert!(names(ClientName::Subject)[0].contains("CN=Ann"));
        assert!(super::names(b"no certificate", ClientName::Cn).is_empty());
    }

    /// RFC 5929 §4.1: the hash is that of the signature.
    #[test]
    fn a_certificate_is_hashed_as_it_is_signed() {
        for (algorithm, hash) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, &SHA256),
            (&rcgen::PKCS_ECDSA_P384_SHA384, &SHA384),
        ] {
            let certificate = certificate(algorithm);
            let due = digest::digest(hash, &certificate);
            assert_eq!(end_point(&certificate).unwrap()[..], *due.as_ref());
        }
        assert_eq!(end_point(&certificate(&rcgen::PKCS_ED25519)), None);
        assert_eq!(end_point(b"no certificate"), None);
    }
}
