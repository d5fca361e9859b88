//! EXTERNAL (RFC 4422 appendix A): who the client is, was shown outside of the exchange.

use super::{Claim, Failure, Proof, Step};

/// EXTERNAL: one message, which says as whom to act.
///
/// ```abnf
/// external-initial-response = *( UTF8-char-no-nul )
/// ```
pub(super) fn respond(response: &[u8]) -> Step {
    match std::str::from_utf8(response) {
        Ok(authorization) if !authorization.contains('\0') => Step::Done(Claim {
            authorization: authorization.to_owned(),
            user: String::new(),
            proof: Proof::External,
        }),
        _ => Step::Fail(Failure::Malformed),
    }
}
