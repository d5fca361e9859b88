//! Addresses of directories (RFC 4516, as far as they say whom to connect).

use std::path::PathBuf;

/// Where a directory's socket usually is.
const SOCKET: &str = "/var/run/slapd/ldapi";

/// A server of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Url {
    /// `ldap://` or `ldaps://`, without path.
    Tcp {
        /// The text, for the library and the log.
        text: String,
        /// TLS from the first byte.
        tls: bool,
        /// The server is this machine.
        local: bool,
    },
    /// `ldapi://`.
    Unix(PathBuf),
}

impl Url {
    /// Reads an address.
    ///
    /// # Errors
    /// It is none. The text says why.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("this is no URL")?;
        match scheme.to_ascii_lowercase().as_str() {
            "ldapi" => unix(rest).map(Self::Unix),
            scheme @ ("ldap" | "ldaps") => {
                let place = rest.strip_suffix('/').unwrap_or(rest);
                let host = host(place)?;
                Ok(Self::Tcp {
                    text: format!("{scheme}://{place}"),
                    tls: scheme == "ldaps",
                    local: is_local(host),
                })
            }
            _ => Err("the scheme is none of ldap, ldaps and ldapi"),
        }
    }

    /// Whether the connection begins with TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }

    /// Whether others could listen, unless the connection changes to TLS.
    pub(super) fn is_clear(&self) -> bool {
        matches!(
            self,
            Self::Tcp {
                tls: false,
                local: false,
                ..
            }
        )
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { text, .. } => f.write_str(text),
            Self::Unix(path) => write!(f, "ldapi://{}", path.display()),
        }
    }
}

/// The host of `HOST[:PORT]`.
fn host(place: &str) -> Result<&str, &'static str> {
    let bracketed = place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((address, "")) => (address, None),
        Some((address, port)) => (address, Some(port.strip_prefix(':').unwrap_or(""))),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("the port is no number");
    }
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    match !host.is_empty() && host.bytes().all(letter) {
        true => Ok(host),
        false => Err("a host and maybe a port is expected, and nothing after them"),
    }
}

fn is_local(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The path of a socket, as it is, or with its slashes written as `%2F`.
fn unix(rest: &str) -> Result<PathBuf, &'static str> {
    match rest {
        "" | "/" => Ok(PathBuf::from(SOCKET)),
        path if path.starts_with('/') => Ok(PathBuf::from(path)),
        encoded => {
            let path = encoded.replace("%2F", "/").replace("%2f", "/");
            match path.starts_with('/') && !path.contains('%') {
                true => Ok(PathBuf::from(path)),
                false => Err("an absolute path is expected, as in ldapi:///run/slapd/ldapi"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_have_addresses() {
        let printed = |text| Url::parse(text).unwrap().to_string();
        for same in [
            "ldap://ldap.example.org",
            "ldaps://ldap.example.org:1636",
            "ldap://127.0.0.1:389",
            "ldap://[2001:db8::1]:389",
            "ldapi:///run/slapd/ldapi",
        ] {
            assert_eq!(printed(same), same);
        }
        assert_eq!(printed("LDAP://x/"), "ldap://x");
        assert_eq!(printed("ldapi://"), "ldapi:///var/run/slapd/ldapi");
        assert_eq!(printed("ldapi://%2Frun%2fldapi"), "ldapi:///run/ldapi");
    }

    #[test]
    fn what_is_none_is_refused() {
        for wrong in [
            "",
            "ldap",
            "ldap:x",
            "http://x",
            "ldap://",
            "ldap:///",
            "ldap://x:",
            "ldap://x:y",
            "ldap://x:65536",
            "ldap://x/dc=org",
            "ldap://a b",
            "ldap://user@x",
            "ldapi://x",
            "ldapi://%00",
            "ldap://[::1",
            "ldap://[::1]x",
        ] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn others_listen_to_what_is_clear() {
        let clear = |text| Url::parse(text).unwrap().is_clear();
        assert!(clear("ldap://x") && clear("ldap://192.0.2.1"));
        assert!(!clear("ldaps://x") && !clear("ldapi://"));
        assert!(
            !clear("ldap://localhost") && !clear("ldap://[::1]:1") && !clear("ldap://127.1.2.3")
        );
    }
}
