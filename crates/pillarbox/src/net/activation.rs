//! Sockets that the service manager opened before this process began (sd_listen_fds(3)).

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::{Mutex, OnceLock, PoisonError};

use listenfd::ListenFd;

/// The first descriptor that is handed over (`SD_LISTEN_FDS_START`).
const FIRST: u32 = 3;

static INHERITED: OnceLock<Mutex<Vec<Inherited>>> = OnceLock::new();

/// A descriptor, and the socket once somebody asked for it. Kept for good: a reload may take an
/// address out and the next one bring it back.
struct Inherited {
    number: u32,
    name: String,
    socket: io::Result<Socket>,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A copy of an inherited socket.
pub enum Listening {
    /// TCP.
    Tcp(TcpListener),
    /// A stream socket in the file system.
    Unix(UnixListener),
}

/// Takes what was handed over out of the environment. To be called once, at the very beginning of
/// the process, while no other thread reads the environment.
pub fn collect() {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut fds = ListenFd::from_env();
    let names = names_of(&names, fds.len());
    let inherited = (FIRST..)
        .zip(names)
        .enumerate()
        .map(|(at, (number, name))| Inherited {
            number,
            name,
            socket: take(&mut fds, at),
        });
    let _ = INHERITED.set(Mutex::new(inherited.collect()));
}

/// A copy of descriptor `number`.
///
/// # Errors
///
/// It was not handed over, or is no listening stream socket.
pub fn by_number(number: u32) -> io::Result<Listening> {
    let found = select(|one| one.number == number)?;
    let none = || not_found(format!("descriptor {number} was not handed over"));
    found.into_iter().next().ok_or_else(none)
}

/// Copies of all descriptors with this name: a socket unit may listen on several addresses.
///
/// # Errors
///
/// As [`by_number`].
pub fn by_name(name: &str) -> io::Result<Vec<Listening>> {
    let found = select(|one| one.name == name)?;
    if found.is_empty() {
        return Err(not_found(format!(
            "no descriptor named {name} was handed over"
        )));
    }
    Ok(found)
}

fn take(fds: &mut ListenFd, at: usize) -> io::Result<Socket> {
    if let Ok(Some(unix)) = fds.take_unix_listener(at) {
        return Ok(Socket::Unix(unix));
    }
    let tcp = fds.take_tcp_listener(at)?;
    tcp.map(Socket::Tcp)
        .ok_or_else(|| not_found("no such descriptor".to_owned()))
}

fn select(wanted: impl Fn(&Inherited) -> bool) -> io::Result<Vec<Listening>> {
    let Some(inherited) = INHERITED.get() else {
        return Ok(Vec::new());
    };
    let inherited = inherited.lock().unwrap_or_else(PoisonError::into_inner);
    inherited
        .iter()
        .filter(|one| wanted(one))
        .map(Inherited::copy)
        .collect()
}

impl Inherited {
    fn copy(&self) -> io::Result<Listening> {
        match &self.socket {
            Ok(Socket::Tcp(socket)) => socket.try_clone().map(Listening::Tcp),
            Ok(Socket::Unix(socket)) => socket.try_clone().map(Listening::Unix),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

/// One name for each descriptor. Where the service manager gives none they are all `unknown`.
fn names_of(names: &str, count: usize) -> Vec<String> {
    let given = names.split(':').filter(|name| !name.is_empty());
    given
        .chain(std::iter::repeat("unknown"))
        .take(count)
        .map(str::to_owned)
        .collect()
}

fn not_found(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descriptor_has_a_name() {
        assert_eq!(names_of("imap:imaps", 2), ["imap", "imaps"]);
        assert_eq!(names_of("imap", 2), ["imap", "unknown"]);
        assert_eq!(names_of("", 1), ["unknown"]);
        assert_eq!(names_of("stray", 0), [""; 0]);
    }

    #[test]
    fn nothing_handed_over_says_so() {
        let error = by_name("imap").err().unwrap();
        assert_eq!(
            error.to_string(),
            "no descriptor named imap was handed over"
        );
    }
}
