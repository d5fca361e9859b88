//! Exchanges from the RFCs, and what ends them.

use super::*;

fn begin(mechanism: &str, initial: Option<&[u8]>) -> (Exchange, Step) {
    begin_under(mechanism, Setting::default(), initial)
}

fn begin_under(mechanism: &str, setting: Setting, initial: Option<&[u8]>) -> (Exchange, Step) {
    let mechanism = Mechanism::from_name(mechanism).unwrap();
    Exchange::begin(mechanism, setting, initial)
}

fn password(authorization: &str, user: &str, password: &str) -> Step {
    Step::Done(Claim {
        authorization: authorization.into(),
        user: user.into(),
        proof: Proof::Password(Secret::new(password.into())),
    })
}

fn token(authorization: &str, user: &str, token: &str) -> Step {
    Step::Done(Claim {
        authorization: authorization.into(),
        user: user.into(),
        proof: Proof::Token(Secret::new(token.into())),
    })
}

#[track_caller]
fn challenge(step: Step) -> String {
    match step {
        Step::Challenge(challenge) => String::from_utf8(challenge).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mechanisms_have_names() {
    for mechanism in Mechanism::ALL {
        let lower = mechanism.name().to_lowercase();
        assert_eq!(Mechanism::from_name(&lower), Some(mechanism));
    }
    assert_eq!(Mechanism::from_name("GSSAPI"), None);
}

/// RFC 4616 §4.
#[test]
fn plain_in_one_message() {
    let (_, step) = begin("plain", Some(b"\0tim\0tanstaaftanstaaf"));
    assert_eq!(step, password("", "tim", "tanstaaftanstaaf"));
    let (_, step) = begin("PLAIN", Some(b"Ursel\0Kurt\0xipj3plmq"));
    assert_eq!(step, password("Ursel", "Kurt", "xipj3plmq"));
}

#[test]
fn plain_after_an_empty_challenge() {
    let (mut exchange, step) = begin("PLAIN", None);
    assert_eq!(step, Step::Challenge(Vec::new()));
    assert_eq!(
        exchange.respond(b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm"),
        password("", "tim", "tanstaaftanstaaf")
    );
}

#[test]
fn login_asks_twice() {
    let (mut exchange, step) = begin("LOGIN", None);
    assert_eq!(challenge(step), "Username:");
    assert_eq!(challenge(exchange.respond(b"dGlt")), "Password:");
    assert_eq!(exchange.respond(b"c2VjcmV0"), password("", "tim", "secret"));
    assert_eq!(
        exchange.respond(b"c2VjcmV0"),
        Step::Fail(Failure::Malformed),
        "it is over"
    );
}

#[test]
fn login_with_an_initial_response() {
    let (mut exchange, step) = begin("login", Some(b"tim"));
    assert_eq!(challenge(step), "Password:");
    assert_eq!(exchange.respond(b""), password("", "tim", ""));
}

#[test]
fn what_ends_an_exchange() {
    let after = |line: &[u8]| begin("PLAIN", None).0.respond(line);
    assert_eq!(after(b"*"), Step::Fail(Failure::Cancelled));
    assert_eq!(after(b"?"), Step::Fail(Failure::NotBase64));
    assert_eq!(
        after(b"AHRpbQ"),
        Step::Fail(Failure::NotBase64),
        "padding is missing"
    );
    assert_eq!(after(b""), Step::Fail(Failure::Malformed));
    for message in [
        &b"\0tim"[..],
        b"\0\0secret",
        b"\0tim\0",
        b"\0tim\0a\0b",
        b"\0\xff\0a",
    ] {
        let (_, step) = begin("PLAIN", Some(message));
        assert_eq!(step, Step::Fail(Failure::Malformed), "{message:?}");
    }
}

#[test]
fn challenges_are_base64() {
    let mut out = Vec::new();
    push_challenge(&mut out, b"");
    push_challenge(&mut out, b"Username:");
    assert_eq!(out, b"+ \r\n+ VXNlcm5hbWU6\r\n");
}

#[test]
fn a_password_is_not_printed() {
    assert!(!format!("{:?}", password("", "tim", "hidden")).contains("hidden"));
}

/// RFC 4422 appendix A.
#[test]
fn external_says_as_whom_to_act() {
    let external = |authorization: &str| {
        Step::Done(Claim {
            authorization: authorization.into(),
            user: String::new(),
            proof: Proof::External,
        })
    };
    assert_eq!(begin("EXTERNAL", Some(b"")).1, external(""));
    let (mut exchange, step) = begin("EXTERNAL", None);
    assert_eq!(challenge(step), "");
    let fred = exchange.message(b"fred@example.com");
    assert_eq!(fred, external("fred@example.com"));
    for bad in [&b"a\0b"[..], b"\xff"] {
        let (_, step) = begin("EXTERNAL", Some(bad));
        assert_eq!(step, Step::Fail(Failure::Malformed));
    }
}

/// A user of the examples, with the salts that they have there.
fn pencil(hash: ScramHash) -> ScramKeys {
    let (salt, iterations) = match hash {
        ScramHash::Sha1 => ("QSXCR+Q6sek8bf92", 4096),
        ScramHash::Sha256 => ("W22ZaJ0SNY7soEsUEjb6gQ==", 4096),
    };
    let salt = Salt {
        hash,
        iterations: std::num::NonZeroU32::new(iterations).unwrap(),
        salt: from_base64(salt.as_bytes()).unwrap(),
    };
    salt.keys(b"pencil").unwrap()
}

fn nonce(nonce: &str) -> Setting {
    Setting {
        nonce: nonce.to_owned(),
        ..Setting::default()
    }
}

const SHA1_FIRST: &str = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
const SHA1_NONCE: &str = "3rfcNHYJY1ZVvWVs7j";
const SHA1_FINAL: &str = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                          p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";

/// An exchange in which the client's first message was said and the keys were given.
fn sha1(keys: Vec<ScramKeys>) -> (Exchange, Step) {
    let first = Some(SHA1_FIRST.as_bytes());
    let (mut exchange, step) = begin_under("SCRAM-SHA-1", nonce(SHA1_NONCE), first);
    assert_eq!(step, Step::Keys(ScramHash::Sha1, "user".to_owned()));
    let step = exchange.keys(keys);
    (exchange, step)
}

fn proven(index: usize) -> Step {
    Step::Done(Claim {
        authorization: String::new(),
        user: "user".to_owned(),
        proof: Proof::Keys(index),
    })
}

/// RFC 5802 §5.
#[test]
fn scram_sha_1_as_in_its_rfc() {
    let (mut exchange, step) = sha1(vec![pencil(ScramHash::Sha1)]);
    assert_eq!(
        challenge(step),
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    );
    let verifier = challenge(exchange.message(SHA1_FINAL.as_bytes()));
    assert_eq!(verifier, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
    assert_eq!(exchange.message(b""), proven(0));
    assert_eq!(exchange.message(b""), Step::Fail(Failure::Malformed));
}

/// RFC 7677 §3.
#[test]
fn scram_sha_256_as_in_its_rfc() {
    let (mut exchange, step) = begin_under(
        "SCRAM-SHA-256",
        nonce("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
        Some(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
    );
    assert_eq!(step, Step::Keys(ScramHash::Sha256, "user".to_owned()));
    let step = exchange.keys(vec![pencil(ScramHash::Sha256)]);
    assert_eq!(
        challenge(step),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let verifier = challenge(exchange.message(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
          p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    ));
    assert_eq!(verifier, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_eq!(exchange.message(b""), proven(0));
}

/// One of several passwords is enough, and it is known which.
#[test]
fn scram_with_several_passwords() {
    let right = pencil(ScramHash::Sha1);
    let wrong = || right.salt.keys(b"eraser").unwrap();
    let (mut exchange, _) = sha1(vec![wrong(), right.clone(), wrong()]);
    challenge(exchange.message(SHA1_FINAL.as_bytes()));
    assert_eq!(exchange.message(b""), proven(1));
    // Keys under another salt can't be checked: the client was told the first one's.
    let elsewhere = Salt::new(ScramHash::Sha1, [0; SALT_BYTES]);
    let (mut exchange, _) = sha1(vec![wrong(), elsewhere.keys(b"pencil").unwrap()]);
    let step = exchange.message(SHA1_FINAL.as_bytes());
    assert_eq!(step, Step::Fail(Failure::Proof));
}

#[test]
fn a_wrong_proof_is_a_wrong_password() {
    let proof = Step::Fail(Failure::Proof);
    let wrong = pencil(ScramHash::Sha1).salt.keys(b"eraser").unwrap();
    let nobody = ScramKeys::of_nobody(wrong.salt.clone(), [7; 32]);
    for keys in [wrong, nobody] {
        let (mut exchange, _) = sha1(vec![keys]);
        assert_eq!(exchange.message(SHA1_FINAL.as_bytes()), proof);
        assert_eq!(
            exchange.message(b""),
            Step::Fail(Failure::Malformed),
            "no second try"
        );
    }
    let (mut exchange, _) = sha1(vec![pencil(ScramHash::Sha1)]);
    let short = SHA1_FINAL.replace("p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "p=AAAA");
    assert_eq!(exchange.message(short.as_bytes()), proof);
    let (_, step) = sha1(Vec::new());
    assert_eq!(step, proof);
}

#[test]
fn proofs_are_of_this_exchange() {
    let finish = |message: &str| {
        let (mut exchange, _) = sha1(vec![pencil(ScramHash::Sha1)]);
        exchange.message(message.as_bytes())
    };
    let malformed = Step::Fail(Failure::Malformed);
    for (from, to) in [
        ("fyko", "fyko2"),
        ("7j,", ","),
        (",p=v0X8", ",q=v0X8"),
        ("Ts=", "Ts"),
        ("c=biws,", ""),
        ("c=biws", "c=?"),
        ("c=biws,", "c=biws,c=biws,"),
        (",p=", ",x,p="),
    ] {
        let changed = SHA1_FINAL.replace(from, to);
        assert_eq!(finish(&changed), malformed, "{changed}");
    }
    // `y,,` instead of `n,,`.
    let bound = finish(&SHA1_FINAL.replace("biws", "eSws"));
    assert_eq!(bound, Step::Fail(Failure::ChannelBinding));
    // An extension is part of what is signed.
    let extended = finish(&SHA1_FINAL.replace(",p=", ",e=x,p="));
    assert_eq!(extended, Step::Fail(Failure::Proof));
}

#[test]
fn first_messages_that_can_not_be() {
    for message in [
        "",
        "n,,",
        "n,,n=user",
        "n,,r=x,n=user",
        "n,,n=,r=x",
        "n,,n=user,r=",
        "n,,n=us=er,r=x",
        "n,,n=user,r=a b",
        "n,,n=user,r=x,",
        "n,,n=user,r=x,1=x",
        "n,,m=ext,n=user,r=x",
        "n,,n=a\u{7}b,r=x",
        "n,,n=\u{AD},r=x",
        "n,n=user,r=x",
    ] {
        let (_, step) = begin_under("SCRAM-SHA-256", nonce("s"), Some(message.as_bytes()));
        assert_eq!(step, Step::Fail(Failure::Malformed), "{message:?}");
    }
    let long = format!("n,,n=user,r={}", "x".repeat(5_000));
    let (_, step) = begin_under("SCRAM-SHA-256", nonce("s"), Some(long.as_bytes()));
    assert_eq!(step, Step::Fail(Failure::Malformed));
}

#[test]
fn names_in_scram_are_unescaped_and_prepared() {
    let user = |name: &str| {
        let message = format!("n,a=other,n={name},r=x");
        match begin_under("SCRAM-SHA-256", nonce("s"), Some(message.as_bytes())).1 {
            Step::Keys(_, user) => user,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(user("a=2Cb=3D"), "a,b=");
    assert_eq!(user("I\u{AD}X"), "IX");
    assert_eq!(user("\u{1E900}"), "\u{1E900}", "of Unicode 9");
}

/// Under TLS with one channel binding.
fn bound() -> Setting {
    Setting {
        bindings: vec![Binding {
            name: "tls-exporter",
            data: b"exported".to_vec(),
        }],
        nonce: "server".to_owned(),
    }
}

/// The client's side with PLUS, which says `c=` as given.
fn plus(first: &str, binding: &[u8]) -> Step {
    let (mut exchange, step) = begin_under("SCRAM-SHA-256-PLUS", bound(), Some(first.as_bytes()));
    if !matches!(step, Step::Keys(..)) {
        return step;
    }
    let keys = pencil(ScramHash::Sha256);
    let server_first = challenge(exchange.keys(vec![keys.clone()]));
    let bare = first.splitn(3, ',').nth(2).unwrap();
    let without_proof = format!("c={},r=clientserver", STANDARD.encode(binding));
    let said = format!("{bare},{server_first},{without_proof}");
    let hash = ScramHash::Sha256;
    let mut salted = [0; 32];
    aws_lc_rs::pbkdf2::derive(
        aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
        keys.salt.iterations,
        &keys.salt.salt,
        b"pencil",
        &mut salted,
    );
    let client = hash.sign(&salted, b"Client Key");
    let signature = hash.sign(&hash.hash(&client), said.as_bytes());
    let proof: Vec<u8> = client.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let message = format!("{without_proof},p={}", STANDARD.encode(proof));
    match exchange.message(message.as_bytes()) {
        Step::Challenge(_) => exchange.message(b""),
        other => other,
    }
}

#[test]
fn plus_binds_to_the_connection() {
    let first = "p=tls-exporter,,n=user,r=client";
    assert_eq!(plus(first, b"p=tls-exporter,,exported"), proven(0));
    let refused = Step::Fail(Failure::ChannelBinding);
    assert_eq!(plus(first, b"p=tls-exporter,,exportex"), refused);
    assert_eq!(plus(first, b"p=tls-exporter,,"), refused);
    assert_eq!(plus(first, b"p=tls-unique,,exported"), refused);
    for first in [
        "p=tls-unique,,n=user,r=client",
        "n,,n=user,r=client",
        "y,,n=user,r=client",
    ] {
        assert_eq!(plus(first, b""), refused, "{first}");
    }
}

/// RFC 5802 §6: a client that could bind and was told that we can't has somebody in between.
#[test]
fn a_downgrade_is_noticed() {
    let begin =
        |setting, first: &str| begin_under("SCRAM-SHA-256", setting, Some(first.as_bytes())).1;
    let refused = Step::Fail(Failure::ChannelBinding);
    assert_eq!(begin(bound(), "y,,n=user,r=client"), refused);
    assert_eq!(begin(bound(), "p=tls-exporter,,n=user,r=client"), refused);
    let fine = Step::Keys(ScramHash::Sha256, "user".to_owned());
    assert_eq!(begin(bound(), "n,,n=user,r=client"), fine);
    assert_eq!(begin(nonce("s"), "y,,n=user,r=client"), fine);
}

/// RFC 7628 §4.1.
#[test]
fn oauthbearer_shows_a_token() {
    let (_, step) = begin(
        "OAUTHBEARER",
        Some(
            b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
              auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
        ),
    );
    let shown = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
    assert_eq!(step, token("user@example.com", "user@example.com", shown));
    let (_, step) = begin("OAUTHBEARER", Some(b"n,,\x01auth=bEaReR x.y-z\x01\x01"));
    assert_eq!(step, token("", "", "x.y-z"));
}

/// RFC 7628 §4.3: the error comes in a challenge, and whatever the client says then, it fails.
#[test]
fn oauthbearer_says_why_it_failed() {
    let error = br#"{"status":"invalid_token"}"#;
    for answer in [&b"AQ=="[..], b"", b"AAAA"] {
        let (mut exchange, step) = begin("OAUTHBEARER", Some(b"n,,\x01auth=Bearer x\x01\x01"));
        assert_eq!(step, token("", "", "x"));
        assert_eq!(exchange.reject(error), Step::Challenge(error.to_vec()));
        assert_eq!(exchange.respond(answer), Step::Fail(Failure::Denied));
        assert_eq!(exchange.respond(answer), Step::Fail(Failure::Malformed));
    }
    let (mut exchange, _) = begin("PLAIN", Some(b"\0a\0b"));
    assert_eq!(exchange.reject(error), Step::Fail(Failure::Denied));
}

/// As Google and Microsoft document it.
#[test]
fn xoauth2_shows_a_token() {
    let message = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
    let shown = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
    let (mut exchange, step) = begin("XOAUTH2", Some(message));
    assert_eq!(step, token("", "someuser@example.com", shown));
    assert_eq!(exchange.reject(b"{}"), Step::Challenge(b"{}".to_vec()));
    assert_eq!(exchange.respond(b""), Step::Fail(Failure::Denied));
}

#[test]
fn tokens_that_can_not_be() {
    for message in [
        &b""[..],
        b"\x01",
        b"n,,",
        b"n,,\x01",
        b"n,,\x01\x01",
        b"n,,\x01auth=Bearer x\x01",
        b"n,,\x01auth=Bearer x",
        b"n,,\x01auth=Bearer \x01\x01",
        b"n,,\x01auth=Basic x\x01\x01",
        b"n,,\x01auth=Bearer x y\x01\x01",
        b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
        b"n,,\x01host=a\x01\x01",
        b"n,,\x011=a\x01auth=Bearer x\x01\x01",
        b"p=tls-exporter,,\x01auth=Bearer x\x01\x01",
        b"n,,\x01auth=Bearer x\x7f\x01\x01",
    ] {
        let (_, step) = begin("OAUTHBEARER", Some(message));
        assert_eq!(step, Step::Fail(Failure::Malformed), "{message:?}");
    }
    for message in [
        &b"auth=Bearer x\x01\x01"[..],
        b"user=\x01auth=Bearer x\x01\x01",
        b"user=a\x01auth=Bearer x\x01",
        b"user=a\x01\x01",
    ] {
        let (_, step) = begin("XOAUTH2", Some(message));
        assert_eq!(step, Step::Fail(Failure::Malformed), "{message:?}");
    }
}
