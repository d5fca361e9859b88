//! Authentication by others: what the program and its helpers do before anybody else is there.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::process::Home;

const SERVER: &str = env!("CARGO_BIN_EXE_pillarbox");
const HELPERS: [&str; 2] = [PAM_HELPER, env!("CARGO_BIN_EXE_pillarbox-shadow-helper")];
const PAM_HELPER: &str = env!("CARGO_BIN_EXE_pillarbox-pam-helper");

/// The example of the endpoint's specification. `MORE` is where a later revision has another line.
const EXAMPLE: &str = "
imap tcp://0.0.0.0:143 tls://0.0.0.0:993 {
    tls /etc/ssl/private/cert.pem /etc/ssl/private/pkey.key
    io_debug no
    debug no
    insecure_auth no
    MORE
    auth pam
    storage &local_mailboxes
    auth_map identity
    auth_map_normalize auto
    storage_map identity
    storage_map_normalize auto
}
";

/// C9, C39 to C42: as it stands, but for where the certificate lies.
#[test]
fn the_specified_example_is_accepted() {
    for more in ["sasl_login no", ""] {
        let home = Home::new("tcp://127.0.0.1:0", "");
        let here = home.path("");
        let made = rcgen::generate_simple_self_signed(vec!["mx.example.org".to_owned()]).unwrap();
        std::fs::write(home.path("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(home.path("pkey.key"), made.signing_key.serialize_pem()).unwrap();
        let example = EXAMPLE
            .replace("MORE", more)
            .replace("/etc/ssl/private/", here.to_str().unwrap());
        let text = format!(
            "state_dir {0}state\nruntime_dir {0}run\n\
             storage.imapsql local_mailboxes {{\n driver sqlite3\n dsn imapsql.db\n}}\n{example}",
            here.display()
        );
        std::fs::write(home.path("pillarbox.conf"), text).unwrap();
        let output = home.command(&["verify-config"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, "No errors detected\n");
    }
}

/// PAM's modules have no business in the server, nor has their library.
#[test]
fn only_the_helper_is_linked_with_pam() {
    let wants_pam = |program: &str| {
        let bytes = std::fs::read(program).unwrap();
        bytes.windows(12).any(|name| name == b"libpam.so.0\0")
    };
    assert!(wants_pam(PAM_HELPER), "else this test finds nothing");
    assert!(!wants_pam(SERVER) && !wants_pam(HELPERS[1]));
}

/// Runs a helper with this standard input.
fn ask(helper: &str, words: &[&str], question: &[u8]) -> Output {
    let mut command = Command::new(helper);
    command.args(words).env("PILLARBOX_TEST", "1");
    let streams = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap();
    // One that reads nothing has not heard it.
    let _ = child.stdin.take().unwrap().write_all(question);
    child.wait_with_output().unwrap()
}

#[test]
fn helpers_refuse_to_be_misused() {
    for helper in HELPERS {
        let name = Path::new(helper).file_name().unwrap().to_str().unwrap();
        let with_words = ask(helper, &["ann", "secret"], b"");
        assert_eq!(with_words.status.code(), Some(64), "{name}");
        assert!(with_words.stdout.is_empty());
        let usage = String::from_utf8(with_words.stderr).unwrap();
        assert!(usage.starts_with(name), "{usage}");
        let long = vec![b'x'; 1 << 20];
        for question in [&b""[..], b"ann\nsecret\n", b"root\0x\0", &long] {
            let output = ask(helper, &[], question);
            assert_eq!(output.status.code(), Some(2), "{name}");
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said, "failed the helper was asked something strange\n");
        }
    }
}
