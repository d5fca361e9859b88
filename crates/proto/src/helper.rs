//! What the server and its helper programs say to each other: one question, one answer, and the
//! helper ends.
//!
//! A question is fields, each ended by NUL, and then the end of the stream: what is asked, and its
//! arguments. An answer is one line: `yes`, `no REASON` or `failed REASON`.

use std::fmt;

/// Bytes of a question: a name and a password as long as a client may send them, and some more.
pub const QUESTION_BYTES: usize = 20 * 1024;
/// Bytes of an answer that are looked at.
pub const ANSWER_BYTES: usize = 1024;
/// Bytes of the name of a PAM service.
pub const SERVICE_BYTES: usize = 64;

/// What a helper is asked. It can't be printed, since there are passwords in it.
#[derive(Clone, PartialEq, Eq)]
pub enum Question<'q> {
    /// May this user in by the rules of this PAM service?
    Login {
        /// The service, for which [`is_service`] holds.
        service: &'q str,
        /// The user.
        user: &'q str,
        /// The password.
        password: &'q [u8],
    },
    /// Is this the user's password, and may they use it now?
    Password {
        /// The user.
        user: &'q str,
        /// The password.
        password: &'q [u8],
    },
    /// Is there such a user?
    User(&'q str),
}

impl<'q> Question<'q> {
    /// The question in bytes. `None` if it can't be asked: it is too long, or there is a NUL in it,
    /// which is in nobody's name or password, as far as C can tell.
    #[must_use]
    pub fn print(&self) -> Option<Vec<u8>> {
        let fields: &[&[u8]] = match self {
            Self::Login {
                service,
                user,
                password,
            } => &[b"login", service.as_bytes(), user.as_bytes(), password],
            Self::Password { user, password } => &[b"password", user.as_bytes(), password],
            Self::User(user) => &[b"user", user.as_bytes()],
        };
        let length: usize = fields.iter().map(|field| field.len() + 1).sum();
        if length > QUESTION_BYTES || fields.iter().any(|field| field.contains(&0)) {
            return None;
        }
        // Made at its full length at once, so that no copy of the password stays behind.
        let mut bytes = Vec::with_capacity(length);
        for field in fields {
            bytes.extend_from_slice(field);
            bytes.push(0);
        }
        Some(bytes)
    }

    /// Reads a question, whole.
    #[must_use]
    pub fn parse(bytes: &'q [u8]) -> Option<Self> {
        if bytes.len() > QUESTION_BYTES {
            return None;
        }
        let fields: Vec<&[u8]> = bytes
            .strip_suffix(b"\0")?
            .split(|&byte| byte == 0)
            .collect();
        let text = |field| std::str::from_utf8(field).ok();
        match *fields.as_slice() {
            [b"login", service, user, password] => Some(Self::Login {
                service: text(service).filter(|name| is_service(name))?,
                user: text(user)?,
                password,
            }),
            [b"password", user, password] => Some(Self::Password {
                user: text(user)?,
                password,
            }),
            [b"user", user] => Some(Self::User(text(user)?)),
            _ => None,
        }
    }
}

/// Whether this can be the name of a PAM service: it is that of a file, so no path may be made of
/// it.
#[must_use]
pub fn is_service(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=SERVICE_BYTES).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(letter)
}

/// What a helper answers. The reasons are for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No(String),
    /// It could not tell.
    Failed(String),
}

impl Answer {
    /// Reads an answer. `None` if it is none: what a program that is no helper of ours says, or one
    /// that died, is never a yes.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        if bytes.len() > ANSWER_BYTES || line.contains(char::is_control) {
            return None;
        }
        match line.split_once(' ').unwrap_or((line, "")) {
            ("yes", "") if line == "yes" => Some(Self::Yes),
            ("no", why) => Some(Self::No(why.to_owned())),
            ("failed", why) => Some(Self::Failed(why.to_owned())),
            _ => None,
        }
    }

    /// What the helper ends with: 0 is yes, 1 is no, 2 is that it could not tell.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No(_) => 1,
            Self::Failed(_) => 2,
        }
    }
}

impl fmt::Display for Answer {
    /// The answer with its line end, at most [`ANSWER_BYTES`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes\n"),
            Self::No(why) => writeln!(f, "no {}", printable(why, "no ")),
            Self::Failed(why) => writeln!(f, "failed {}", printable(why, "failed ")),
        }
    }
}

/// As much of a reason as fits into an answer after its word, on one line.
fn printable(why: &str, word: &str) -> String {
    let room = ANSWER_BYTES - word.len() - "\n".len();
    let why: String = why.chars().filter(|char| !char.is_control()).collect();
    why[..why.floor_char_boundary(room)].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_is_fields() {
        let asked = Question::Login {
            service: "pillarbox",
            user: "ann",
            password: b"a b\nc",
        };
        let printed = asked.print().unwrap();
        assert_eq!(printed, b"login\0pillarbox\0ann\0a b\nc\0");
        assert!(Question::parse(&printed) == Some(asked));
        assert!(Question::parse(b"user\0\0") == Some(Question::User("")));
    }

    #[test]
    fn nothing_can_be_slipped_in() {
        let nul = Question::Password {
            user: "ann",
            password: b"a\0b",
        };
        assert!(nul.print().is_none());
        assert!(Question::User("a\0b").print().is_none());
        assert!(
            Question::User(&"x".repeat(QUESTION_BYTES))
                .print()
                .is_none()
        );
        for wrong in [
            &b""[..],
            b"\0",
            b"user",
            b"user\0",
            b"user\0ann",
            b"user\0ann\0x\0",
            b"user\0\xff\0",
            b"login\0ann\0x\0",
            b"login\0../x\0ann\0x\0",
            b"login\0\0ann\0x\0",
            b"root\0ann\0",
        ] {
            assert!(Question::parse(wrong).is_none(), "{wrong:?}");
        }
        assert!(Question::parse(&[b'x'; QUESTION_BYTES + 1]).is_none());
    }

    #[test]
    fn a_service_is_the_name_of_a_file() {
        assert!(is_service("pillarbox") && is_service("a.b-c_1"));
        for wrong in ["", ".", "..", "a/b", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert!(!is_service(wrong), "{wrong}");
        }
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        assert_eq!(Answer::parse(b"yes\n"), Some(Answer::Yes));
        assert_eq!(Answer::parse(b"no \n"), Some(Answer::No(String::new())));
        for none in [
            &b""[..],
            b"yes",
            b"yes \n",
            b"yes sir\n",
            b"YES\n",
            b"\nyes\n",
            b"yes\nyes\n",
            b"yes\r\n",
            b"\xff\n",
            b"y\n",
        ] {
            assert_eq!(Answer::parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_reason_stays_on_its_line_and_in_its_room() {
        let answer = Answer::No("a\nyes\n\u{1b}[2J".to_owned()).to_string();
        assert_eq!(answer, "no ayes[2J\n");
        let long = Answer::Failed("ä".repeat(ANSWER_BYTES)).to_string();
        assert!(long.len() <= ANSWER_BYTES && Answer::parse(long.as_bytes()).is_some());
    }

    /// What can be read can be written, up to the last byte.
    #[test]
    fn the_longest_answers_read_the_same() {
        for word in ["no ", "failed "] {
            let why = "x".repeat(ANSWER_BYTES - word.len() - 1);
            let line = format!("{word}{why}\n");
            let answer = Answer::parse(line.as_bytes()).unwrap();
            assert_eq!(answer.to_string(), line);
            assert_eq!(Answer::parse(format!("{word}x{why}\n").as_bytes()), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_the_same(user in "[^\0]{0,9}", password in "[^\0]{0,9}", why: String) {
            let asked = Question::Password { user: &user, password: password.as_bytes() };
            let printed = asked.print().unwrap();
            prop_assert!(Question::parse(&printed) == Some(asked));
            let answer = Answer::No(printable(&why, "no "));
            prop_assert_eq!(Answer::parse(answer.to_string().as_bytes()), Some(answer));
        }
    }
}
