//! The program as a process: what it says, the signals it hears, the sockets it inherits.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::fcntl::{F_SETFD, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Nothing here takes long; this only keeps a broken test from waiting for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory for a server, with its configuration.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    /// An endpoint at `addresses`, with further directives at top level.
    pub(crate) fn new(addresses: &str, globals: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.configure(addresses, globals);
        home
    }

    /// A server with this configuration, in which `HERE` is its directory.
    pub(crate) fn with(text: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let here = home.0.path().display().to_string();
        let text = format!("state_dir HERE/state\nruntime_dir HERE/run\n{text}");
        std::fs::write(home.path("pillarbox.conf"), text.replace("HERE", &here)).unwrap();
        home
    }

    fn configure(&self, addresses: &str, globals: &str) {
        let here = self.0.path().display();
        let text = format!(
            "state_dir {here}/state\nruntime_dir {here}/run\ntls off\n{globals}\n\
             storage.imapsql local_mailboxes {{\n driver sqlite3\n dsn imapsql.db\n}}\n\
             imap {addresses} {{\n auth dummy\n storage &local_mailboxes\n}}\n"
        );
        std::fs::write(self.path("pillarbox.conf"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
        command
            .arg("--config")
            .arg(self.path("pillarbox.conf"))
            .args(words);
        command.current_dir(self.0.path());
        command
    }

    pub(crate) fn start(&self) -> Running {
        Running::new(self.command(&["run"]))
    }
}

/// A process and the lines it writes to stderr.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// The next line that holds `text`.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect(text);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The port of the next address that is listened on.
    #[track_caller]
    pub(crate) fn port(&self) -> u16 {
        let line = self.line("listening on tcp://");
        line.trim_end().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    pub(crate) fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects and reads the greeting.
pub(crate) fn session(port: u16) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream);
    let greeting = line(&mut reader);
    assert!(greeting.starts_with("* OK"), "{greeting}");
    reader
}

pub(crate) fn line(stream: &mut impl BufRead) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line
}

#[test]
fn sessions_hear_of_the_end() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let mut server = home.start();
    server.line("TLS is disabled");
    let mut session = session(server.port());
    server.signal(Signal::SIGTERM);
    let mut rest = String::new();
    session.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("* BYE"), "{rest}");
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn a_reload_keeps_sessions_and_a_wrong_one_changes_nothing() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let server = home.start();
    let port = server.port();
    let mut old = session(port);

    home.configure("tcp://127.0.0.1:0 unix://imap.sock", "");
    server.signal(Signal::SIGUSR2);
    server.line("new configuration was loaded");
    assert!(UnixStream::connect(home.path("run/imap.sock")).is_ok());

    home.configure("tcp://127.0.0.1:0", "frobnicate yes");
    server.signal(Signal::SIGUSR2);
    let complaint = server.line("failed to load new configuration");
    assert!(complaint.contains("pillarbox.conf:4"), "{complaint}");
    assert!(UnixStream::connect(home.path("run/imap.sock")).is_ok());

    old.get_mut().write_all(b"a LOGOUT\r\n").unwrap();
    let answer = line(&mut old);
    assert!(answer.starts_with("* BYE"), "{answer}");
    session(port);
}

#[test]
fn a_rotated_log_is_begun_anew() {
    let home = Home::new("tcp://127.0.0.1:0", "log stderr server.log");
    let server = home.start();
    server.line("listening on");
    std::fs::rename(home.path("server.log"), home.path("server.log.1")).unwrap();
    server.signal(Signal::SIGUSR1);
    while !home.path("server.log").exists() {
        std::thread::yield_now();
    }
    let old = std::fs::read_to_string(home.path("server.log.1")).unwrap();
    assert!(
        old.contains("Z imap: listening on tcp://127.0.0.1:"),
        "{old}"
    );
}

#[test]
fn the_service_manager_is_told() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let socket = UnixDatagram::bind(home.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let said = || {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut command = home.command(&["run"]);
    command.env("NOTIFY_SOCKET", home.path("notify"));
    let server = Running::new(command);
    assert!(said().contains("READY=1"));
    for globals in ["", "frobnicate yes"] {
        home.configure("tcp://127.0.0.1:0", globals);
        server.signal(Signal::SIGUSR2);
        let reloading = said();
        assert!(reloading.contains("RELOADING=1"), "{reloading}");
        assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
        assert!(said().contains("READY=1"), "{globals}");
    }
    server.signal(Signal::SIGTERM);
    assert!(said().contains("STOPPING=1"));
}

#[test]
fn the_watchdog_is_kept_calm() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let socket = UnixDatagram::bind(home.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = home.command(&["run"]);
    command
        .env("NOTIFY_SOCKET", home.path("notify"))
        .env("WATCHDOG_USEC", "20000");
    let _server = Running::new(command);
    let mut calm = 0;
    while calm < 3 {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).unwrap();
        calm += usize::from(buffer.starts_with(b"WATCHDOG=1") && length > 0);
    }
}

/// The shell stands in for systemd: it puts the socket at descriptor 3 and says so.
#[test]
fn inherited_sockets_are_served() {
    for address in ["fd://3", "fdname://imap"] {
        let home = Home::new(address, "");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        fcntl(&listener, F_SETFD(FdFlag::empty())).unwrap();
        let fd = listener.as_raw_fd();
        let script = format!(
            "exec 3<&{fd}; export LISTEN_FDS=1 LISTEN_FDNAMES=imap LISTEN_PID=$$; exec \"$@\""
        );
        let run = home.command(&["run"]);
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &script, "sh"])
            .arg(run.get_program())
            .args(run.get_args());
        let server = Running::new(command);
        server.line("listening on");
        session(port);
        // The socket survives a reload, also one that does not know it for a while.
        home.configure("unix://imap.sock", "");
        server.signal(Signal::SIGUSR2);
        server.line("new configuration was loaded");
        home.configure(address, "");
        server.signal(Signal::SIGUSR2);
        server.line("new configuration was loaded");
        session(port);
    }
}

#[test]
fn exit_statuses_tell_a_wrong_configuration_from_a_failure() {
    let home = Home::new("tcp://127.0.0.1:0", "frobnicate yes");
    for words in [["verify-config"], ["run"]] {
        let output = home.command(&words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("pillarbox.conf:4:1: "), "{text}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new(&format!("tcp://{}", taken.local_addr().unwrap()), "");
    let output = home.command(&["verify-config"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.ends_with(b"No errors detected\n"));
    assert!(!home.path("state").exists(), "verifying creates nothing");
    let output = home.command(&["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// RestartPreventExitStatus=2 must not keep down a server whose store comes back.
#[test]
fn a_store_that_can_not_be_opened_is_worth_another_try() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let first = home.start();
    first.port();
    // Another runtime directory, so that it can't ask the first.
    let text = std::fs::read_to_string(home.path("pillarbox.conf")).unwrap();
    let text = text.replace("/run\n", "/run2\n");
    std::fs::write(home.path("second.conf"), &text).unwrap();
    let second = |words: &[&str]| {
        let output = home
            .command(words)
            .arg("--config=second.conf")
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for words in [&["run"][..], &["imap-acct", "list"]] {
        let (status, told) = second(words);
        assert_eq!(status, Some(1), "{words:?}: {told}");
        assert!(told.contains("is held by process"), "{told}");
    }
    drop(first);
    std::fs::remove_dir_all(home.path("state")).unwrap();
    std::fs::write(home.path("state"), "in the way").unwrap();
    let (status, told) = second(&["run"]);
    assert_eq!(status, Some(1), "{told}");
    // Where one error is the configuration's fault, no other try helps.
    std::fs::remove_file(home.path("state")).unwrap();
    let held = home.start();
    held.port();
    let wrong = text.replace("auth dummy", "auth dummy\n frobnicate yes");
    std::fs::write(home.path("second.conf"), wrong).unwrap();
    assert_eq!(second(&["run"]).0, Some(2));
}

#[test]
fn a_log_that_can_not_be_written_is_worth_another_try() {
    let home = Home::new("tcp://127.0.0.1:0", "log nowhere/at/all");
    let output = home.command(&["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_manual_and_help_say_what_exit_statuses_mean() {
    let home = Home::new("tcp://127.0.0.1:0", "");
    let said = |words: &[&str]| {
        let output = home.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let directory = home.path("man");
    std::fs::create_dir(&directory).unwrap();
    said(&["man", directory.to_str().unwrap()]);
    let written = std::fs::read_to_string(directory.join("pillarbox.1")).unwrap();
    for page in [said(&["man"]), written] {
        assert_eq!(page.matches("EXIT STATUS").count(), 1, "{page}");
        assert!(!page.contains("EXTRA"));
    }
    assert!(said(&["--help"]).contains("Exit status:\n  0  "));
}

#[test]
fn log_targets_of_the_command_line_come_first() {
    let home = Home::new("tcp://127.0.0.1:0", "log stderr off");
    let output = home.command(&["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("'off' can't be combined with other log targets"),
        "{text}"
    );
    Running::new(home.command(&["run", "--log", "stderr_ts"])).line("Z imap: listening on");
}
