//! Hashes as crypt(5) has them in the shadow file.

use sha_crypt::ShaCrypt;
use yescrypt::Yescrypt;
use yescrypt::password_hash::{Error, PasswordVerifier};

/// A stand-in where there is none better: yescrypt, as Debian makes it. It is nobody's.
pub(crate) const STAND_IN: &str =
    "$y$j9T$...............1k6.$...........................................";

/// Whether this is the password's hash, if the hash can be read. Takes the time that it is meant to
/// take.
pub(crate) fn verify(password: &[u8], hash: &str) -> Option<bool> {
    match hash.get(1..)?.split_once('$')?.0 {
        "y" => told(Yescrypt::default().verify_password(password, hash)),
        "5" | "6" => told(ShaCrypt::default().verify_password(password, hash)),
        "2a" | "2b" | "2x" | "2y" => bcrypt::verify(password, hash).ok(),
        _ => None,
    }
}

fn told(outcome: Result<(), Error>) -> Option<bool> {
    match outcome {
        Ok(()) => Some(true),
        Err(Error::PasswordInvalid) => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of "pass word", by libxcrypt 4.4.
    const HASHES: [&str; 7] = [
        "$y$j9T$UrTVFHt6rRvZ1DBwMJ1k6.$W9ZktFjSXWhn4EcgDVOyQBg7mk7uu3la4zmUYVPuZG.",
        "$y$j75$UrTVFHt6rRvZ1DBwMJ1k6.$BMzaoDIXfvNgFVGhlbVJkDPxctQV2.C1DbbSNi/qon1",
        "$6$saltsalt$cc1KsgmlKYtCcnNH8.sv7Fe8mca8fAso5fHlNrb1VZa5WYQ.L3ChTcx06ID.LoaXZAf9CZNraK43\
         XCp7LxKHl1",
        "$6$rounds=1000$sa.lt/x$gUKUVoyG4ZWD.wSsbi3kIV0TB8w1pe/1dPbXwBn8.FftKBRcb.uBLYo2skRx.KEwu\
         XPvZzhoWBHo72dq14FTX/",
        "$5$saltstring$Pr2/FkMue4pholsRSwxlRcDhMiu2AJpqw6sz37HLBXB",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.i.eZGeK4cu9eHTekgko4I5gZ3MMQi6K",
        "$2y$05$CCCCCCCCCCCCCCCCCCCCC.i.eZGeK4cu9eHTekgko4I5gZ3MMQi6K",
    ];

    #[test]
    fn hashes_of_the_system_are_read() {
        for hash in HASHES {
            assert_eq!(verify(b"pass word", hash), Some(true), "{hash}");
            for wrong in [&b""[..], b"pass", b"pass word ", b"\xff"] {
                assert_eq!(verify(wrong, hash), Some(false), "{hash}");
            }
        }
    }

    #[test]
    fn what_is_no_hash_lets_nobody_in() {
        let cut = HASHES.map(|hash| hash.split_at(hash.len() - 1).0);
        let others = [
            "",
            "x",
            "*",
            "$",
            "$$",
            "$y$",
            "$6$",
            "$2b$",
            "$y$j9T$a$b",
            "ab01FAX.bQRSU",
        ];
        for hash in cut.into_iter().chain(others) {
            assert_ne!(verify(b"pass word", hash), Some(true), "{hash}");
        }
        let md5 = "$1$abc$I5QHglYK7Y/G.GVxmWVco.";
        assert_eq!(verify(b"pass word", md5), None, "too weak to be read");
    }

    #[test]
    fn the_stand_in_costs_what_a_hash_costs() {
        assert_eq!(verify(b"", STAND_IN), Some(false));
    }
}
