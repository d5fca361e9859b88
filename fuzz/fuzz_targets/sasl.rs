//! Whatever a client says in an exchange, it comes to an end and proves nothing of keys that nobody
//! knows; PLAIN always names somebody.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_proto::sasl::{Binding, Exchange, Mechanism, Proof, Salt, ScramKeys, Setting, Step};

/// Between the client's messages. No mechanism has this byte.
const CUT: u8 = 0xff;

fuzz_target!(|data: &[u8]| {
    let Some(([which, bound], said)) = data.split_first_chunk::<2>() else {
        return;
    };
    if let Ok(text) = str::from_utf8(said) {
        let _ = ScramKeys::parse(text);
    }
    let mechanism = Mechanism::ALL[usize::from(*which) % Mechanism::ALL.len()];
    let mut messages = said.split(|&byte| byte == CUT);
    let initial = messages.next().filter(|message| !message.is_empty());
    let (mut exchange, mut step) = Exchange::begin(mechanism, setting(*bound), initial);
    loop {
        step = match step {
            Step::Keys(hash, user) => {
                let salt = Salt::invented(hash, b"secret", &user);
                exchange.keys(vec![ScramKeys::of_nobody(salt, [7; 32])])
            }
            Step::Challenge(_) => match messages.next() {
                Some(message) => exchange.message(message),
                None => return,
            },
            Step::Done(claim) => {
                assert!(
                    !matches!(claim.proof, Proof::Keys(_)),
                    "nobody has these keys"
                );
                assert!(mechanism != Mechanism::Plain || !claim.user.is_empty());
                exchange.reject(b"{}")
            }
            Step::Fail(_) => return,
        };
    }
});

fn setting(bound: u8) -> Setting {
    let binding = Binding {
        name: "tls-exporter",
        data: vec![bound; 32],
    };
    Setting {
        bindings: (bound != 0).then_some(binding).into_iter().collect(),
        nonce: "3rfcNHYJY1ZVvWVs7j".to_owned(),
    }
}
