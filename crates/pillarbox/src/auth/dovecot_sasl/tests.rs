use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::*;
use crate::testing::{now, parts, refused, secret, verify};

/// What a service does with one connection: what it says, after each line that it hears from the
/// third on; the first two are the handshake. At the end it closes.
type Script = &'static [&'static str];

const HELLO: &str = "VERSION\t1\t2\nMECH\tLOGIN\tplaintext\nMECH\tPLAIN\tplaintext\nSPID\t1\n\
                     CUID\t1\nCOOKIE\t00\nDONE\n";
const ONLY_LOGIN: &str = "VERSION\t1\t0\nMECH\tLOGIN\nDONE\n";

/// A service that plays one script for each connection, and gives back all that it heard.
fn service(scripts: &'static [Script]) -> (tempfile::TempDir, JoinHandle<Vec<String>>) {
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(directory.path().join("auth")).unwrap();
    let serving = thread::spawn(move || {
        let mut heard = Vec::new();
        for script in scripts {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            assert_eq!(lines.next().unwrap().unwrap(), "VERSION\t1\t2");
            assert!(lines.next().unwrap().unwrap().starts_with("CPID\t"));
            let mut said = script.iter();
            (&stream)
                .write_all(said.next().unwrap().as_bytes())
                .unwrap();
            for answer in said {
                let Some(Ok(line)) = lines.next() else { break };
                heard.push(line);
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
        }
        heard
    });
    (directory, serving)
}

fn provider(directory: &tempfile::TempDir) -> Arc<dyn Provider> {
    let path = directory.path().join("auth");
    let text = format!(
        "auth.dovecot_sasl x {{\n endpoint unix://{}\n}}",
        path.display()
    );
    parts(&text, "x").provider.unwrap()
}

fn login(provider: &dyn Provider) -> String {
    match now(provider.authenticate("ann", &secret("pass"))) {
        Ok(()) => "yes".to_owned(),
        Err(Denied::Credentials(why)) => why,
        Err(Denied::Unavailable(error)) => format!("unavailable: {error:#}"),
    }
}

#[test]
fn a_connection_answers_one_after_another() {
    let (directory, serving) = service(&[&[
        HELLO,
        "OK\t1\tuser=ann\n",
        "FAIL\t2\tuser=ann\n",
        "OK\t99\nFAIL\t3\tuser=ann\treason=out of order\ttemp\n",
        "NOTE\nFAIL\t4\tuser=ann\tcode=user_disabled\n",
        "OK\t5\tuser=ann\tnologin\n",
    ]]);
    let provider = provider(&directory);
    assert_eq!(login(&*provider), "yes");
    assert_eq!(login(&*provider), "dovecot_sasl: the service says no");
    let temporary = login(&*provider);
    assert!(
        temporary.starts_with("unavailable: dovecot_sasl: unix:///"),
        "{temporary}"
    );
    assert!(
        temporary.ends_with("temporary failure out of order"),
        "{temporary}"
    );
    assert_eq!(login(&*provider), "dovecot_sasl: user_disabled");
    assert_eq!(login(&*provider), "dovecot_sasl: nologin");
    let heard = serving.join().unwrap();
    let ask =
        |id| format!("AUTH\t{id}\tPLAIN\tservice=imap\tsecured\tno-penalty\tresp=AGFubgBwYXNz");
    assert_eq!(heard, [ask(1), ask(2), ask(3), ask(4), ask(5)]);
}

#[test]
fn login_will_do_where_plain_is_missing() {
    let (directory, serving) = service(&[&[
        ONLY_LOGIN,
        "CONT\t1\tVXNlcm5hbWU6\n",
        "CONT\t1\tUGFzc3dvcmQ6\n",
        "OK\t1\tuser=ann\n",
    ]]);
    assert_eq!(login(&*provider(&directory)), "yes");
    let heard = serving.join().unwrap();
    let begin = "AUTH\t1\tLOGIN\tservice=imap\tsecured\tno-penalty";
    assert_eq!(heard, [begin, "CONT\t1\tYW5u", "CONT\t1\tcGFzcw=="]);
}

/// A service that was restarted is asked again; one that is gone is nobody's wrong password.
#[test]
fn a_connection_that_broke_is_replaced() {
    let (directory, serving) = service(&[&[HELLO, "OK\t1\n"], &[HELLO, "OK\t1\n"]]);
    let provider = provider(&directory);
    assert_eq!(login(&*provider), "yes");
    assert_eq!(login(&*provider), "yes");
    serving.join().unwrap();
    let gone = login(&*provider);
    assert!(
        gone.starts_with("unavailable: dovecot_sasl: unix:///"),
        "{gone}"
    );
}

#[test]
fn what_is_no_such_service_lets_nobody_in() {
    for (script, why) in [
        (
            &[&["VERSION\t2\t0\nDONE\n"] as Script] as &'static [Script],
            "version 2 of the protocol",
        ),
        (
            &[&["VERSION\t1\t0\nMECH\tGSSAPI\nDONE\n"]],
            "neither PLAIN nor LOGIN",
        ),
        (&[&["* OK IMAP4rev1 ready\n"]], "closed the connection"),
        (&[&["VERSION\tx\n"]], "a strange VERSION"),
        (&[&[HELLO, "OK\tone\n"]], "a reply without a number"),
        (&[&[HELLO, "CONT\t1\t\n"]], "too many questions"),
        (&[&[HELLO, ""]], "closed the connection"),
    ] {
        let (directory, serving) = service(script);
        let said = login(&*provider(&directory));
        assert!(
            said.starts_with("unavailable: ") && said.ends_with(why),
            "{said}"
        );
        serving.join().unwrap();
    }
}

#[test]
fn a_silent_service_is_not_waited_for_without_end() {
    let directory = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(directory.path().join("auth")).unwrap();
    let path = directory.path().join("auth");
    let text = format!("connect_timeout 100ms\n endpoint unix://{}", path.display());
    let provider = parts(&block(&text), "x").provider.unwrap();
    assert!(login(&*provider).ends_with("no connection within 100ms"));
}

#[test]
fn nul_is_in_no_field() {
    let provider = parts(&block("endpoint unix:///nonexistent"), "x")
        .provider
        .unwrap();
    let refused = |user, password| {
        let outcome = now(provider.authenticate(user, &secret(password)));
        matches!(outcome, Err(Denied::Credentials(_)))
    };
    assert!(refused("a\0b", "pass") && refused("ann", "a\0b") && !refused("ann", "pass"));
}

fn block(text: &str) -> String {
    format!("auth.dovecot_sasl x {{\n {text}\n}}")
}

#[test]
fn what_has_to_be_said() {
    verify(&block("endpoint tcp://127.0.0.1:12345"), "x").unwrap();
    verify("dovecot_sasl x {\n endpoint unix://auth\n}", "x").unwrap();
    let inline = "auth.plain_separate x {\n pass dovecot_sasl unix:///run/dovecot/auth-client\n}";
    verify(inline, "x").unwrap();
    let refused = |text: &str| refused(&block(text), "x");
    assert!(refused("").contains("exactly one endpoint is required"));
    assert!(refused("endpoint unix://a unix://b").contains("exactly one endpoint"));
    assert!(refused("endpoint tls://127.0.0.1:1").contains("the protocol has no TLS"));
    assert!(refused("endpoint fd://3").contains("nothing to connect to"));
    assert!(refused("endpoint tcp://:1").contains("nothing to connect to"));
}
