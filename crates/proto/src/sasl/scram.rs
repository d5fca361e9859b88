//! SCRAM (RFC 5802, RFC 7677): both sides show that they know the password, and neither says it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::gs2::{self, Flag, Header};
use super::{Binding, Claim, Failure, Proof, ScramHash, ScramKeys, Setting, Step, from_base64};

/// Bytes of a client's message. A name of 1,024 bytes, two nonces and a channel binding fit.
const MESSAGE_BYTES: usize = 4 * 1024;

/// The server's side of an exchange.
#[derive(Debug)]
pub(super) struct Scram {
    hash: ScramHash,
    plus: bool,
    setting: Setting,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for the client's first message.
    First,
    /// Waits for the keys of the user.
    Keys(Begun),
    /// Waits for the client's proof.
    Proof(Begun, Vec<ScramKeys>),
    /// Waits for the client to have seen the server's proof.
    Confirm(Claim),
    Over,
}

/// What the client's first message said.
#[derive(Debug)]
struct Begun {
    user: String,
    authorization: String,
    /// What `c=` of the final message has to be, decoded.
    binding: Vec<u8>,
    /// Both nonces.
    nonce: String,
    /// AuthMessage, as far as it is known.
    transcript: String,
}

impl Scram {
    pub(super) const fn new(hash: ScramHash, plus: bool, setting: Setting) -> Self {
        Self {
            hash,
            plus,
            setting,
            state: State::First,
        }
    }

    pub(super) fn respond(&mut self, response: &[u8]) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        self.step(state, response).unwrap_or_else(Step::Fail)
    }

    fn step(&mut self, state: State, response: &[u8]) -> Result<Step, Failure> {
        if response.len() > MESSAGE_BYTES {
            return Err(Failure::Malformed);
        }
        let message = std::str::from_utf8(response).map_err(|_| Failure::Malformed)?;
        match state {
            State::First => {
                let begun = self.first(message)?;
                let user = begun.user.clone();
                self.state = State::Keys(begun);
                Ok(Step::Keys(self.hash, user))
            }
            State::Proof(begun, keys) => {
                let (index, proof) = begun.check(message, &keys)?;
                self.state = State::Confirm(Claim {
                    authorization: begun.authorization,
                    user: begun.user,
                    proof: Proof::Keys(index),
                });
                Ok(Step::Challenge(proof))
            }
            State::Confirm(claim) if message.is_empty() => Ok(Step::Done(claim)),
            State::Keys(_) | State::Confirm(_) | State::Over => Err(Failure::Malformed),
        }
    }

    /// ```abnf
    /// client-first-message      = gs2-header client-first-message-bare
    /// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
    /// ```
    fn first(&self, message: &str) -> Result<Begun, Failure> {
        let header = Header::parse(message).ok_or(Failure::Malformed)?;
        let bound = self.binding(header.flag)?;
        let (user, nonce) = first_bare(header.rest).ok_or(Failure::Malformed)?;
        let nonce = format!("{nonce}{}", self.setting.nonce);
        Ok(Begun {
            user,
            binding: [header.raw.as_bytes(), bound].concat(),
            nonce,
            transcript: header.rest.to_owned(),
            authorization: header.authorization,
        })
    }

    /// What the client's proof is bound to (RFC 5802 §6).
    fn binding(&self, flag: Flag<'_>) -> Result<&[u8], Failure> {
        let bindings = &self.setting.bindings;
        match (flag, self.plus) {
            (Flag::Used(name), true) => {
                let binding = bindings.iter().find(|binding| binding.name == name);
                let binding: &Binding = binding.ok_or(Failure::ChannelBinding)?;
                Ok(&binding.data)
            }
            (Flag::Unsupported, false) => Ok(&[]),
            // The client thinks that we offered no -PLUS: if we did, somebody took it out.
            (Flag::NotOffered, false) if bindings.is_empty() => Ok(&[]),
            _ => Err(Failure::ChannelBinding),
        }
    }

    /// Says what the client needs to make a proof. Of keys with different salts only those with the
    /// first one's can be used.
    pub(super) fn keys(&mut self, mut keys: Vec<ScramKeys>) -> Step {
        let State::Keys(mut begun) = std::mem::replace(&mut self.state, State::Over) else {
            return Step::Fail(Failure::Malformed);
        };
        let Some(salt) = keys.first().map(|keys| keys.salt.clone()) else {
            return Step::Fail(Failure::Proof);
        };
        keys.retain(|keys| keys.salt == salt);
        let (encoded, iterations) = (STANDARD.encode(&salt.salt), salt.iterations);
        let message = format!("r={},s={encoded},i={iterations}", begun.nonce);
        begun.transcript.push(',');
        begun.transcript.push_str(&message);
        self.state = State::Proof(begun, keys);
        Step::Challenge(message.into_bytes())
    }
}

/// The user and the client's nonce.
fn first_bare(bare: &str) -> Option<(String, &str)> {
    // `m=` here would be an extension that must be understood (RFC 5802 §5.1).
    let mut attributes = bare.split(',');
    let user = gs2::name(attributes.next()?.strip_prefix("n=")?)?;
    let nonce = attributes.next()?.strip_prefix("r=")?;
    // Printable, and no comma: that was cut at.
    let printable = !nonce.is_empty() && nonce.bytes().all(|b| b.is_ascii_graphic());
    let extensions = attributes.all(is_attribute);
    (printable && extensions).then_some(())?;
    Some((prepared(user)?, nonce))
}

/// A name by SASLprep (RFC 4013); none if it has what no name can have. What Unicode did not have then is
/// left to the server's own normalisation, which knows it.
#[must_use]
pub fn prepared(user: String) -> Option<String> {
    match stringprep::saslprep(&user) {
        Ok(prepared) if prepared.is_empty() => None,
        Ok(prepared) => Some(prepared.into_owned()),
        Err(_) if user.chars().any(char::is_control) => None,
        Err(_) => Some(user),
    }
}

/// `attr-val = ALPHA "=" value`
fn is_attribute(text: &str) -> bool {
    matches!(text.as_bytes(), [name, b'=', _, ..] if name.is_ascii_alphabetic())
}

impl Begun {
    /// Checks the client's proof against each of the keys; gives which of them it was, and the
    /// server's proof.
    ///
    /// ```abnf
    /// client-final-message-without-proof = channel-binding "," nonce ["," extensions]
    /// client-final-message               = client-final-message-without-proof "," proof
    /// ```
    fn check(&self, message: &str, keys: &[ScramKeys]) -> Result<(usize, Vec<u8>), Failure> {
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Failure::Malformed)?;
        let mut attributes = without_proof.split(',');
        let mut value = |prefix| attributes.next().and_then(|text| text.strip_prefix(prefix));
        let (binding, nonce) = (value("c="), value("r="));
        let binding = binding.and_then(|text| from_base64(text.as_bytes()));
        let proof = from_base64(proof.as_bytes()).ok_or(Failure::Malformed)?;
        if !attributes.all(is_attribute) {
            return Err(Failure::Malformed);
        }
        if binding.ok_or(Failure::Malformed)? != self.binding {
            return Err(Failure::ChannelBinding);
        }
        if nonce != Some(&self.nonce) {
            return Err(Failure::Malformed);
        }
        let said = format!("{},{without_proof}", self.transcript);
        let mut matching = None;
        // All of them, so that the time does not tell which.
        for (index, keys) in keys.iter().enumerate() {
            if keys.proves(&proof, said.as_bytes()) {
                matching = Some((index, keys));
            }
        }
        let (index, keys) = matching.ok_or(Failure::Proof)?;
        let signature = keys.salt.hash.sign(&keys.server, said.as_bytes());
        let verifier = format!("v={}", STANDARD.encode(signature));
        Ok((index, verifier.into_bytes()))
    }
}

impl ScramKeys {
    /// Whether a client who said all this has shown that it knows the password (RFC 5802 §3).
    fn proves(&self, proof: &[u8], said: &[u8]) -> bool {
        let hash = self.salt.hash;
        if proof.len() != hash.bytes() {
            return false;
        }
        let signature = hash.sign(&self.stored, said);
        let client: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        verify_slices_are_equal(&hash.hash(&client), &self.stored).is_ok()
    }
}
