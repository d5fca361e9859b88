//! `pillarbox-shadow-helper`: compares one password with the shadow file, and ends.
//!
//! A program of its own, so that the right to read that file is not the server's.

mod crypt;
mod guard;

use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use pillarbox_proto::helper::{Answer, Question};
use zeroize::Zeroizing;

/// Where the hashes are. Nobody can say otherwise.
const SHADOW: &str = "/etc/shadow";
/// Bytes of that file: a hundred thousand users.
const FILE_BYTES: u64 = 16 * 1024 * 1024;
const DAY: u64 = 24 * 60 * 60;

fn main() -> ExitCode {
    guard::run(
        "pillarbox-shadow-helper compares a password with the shadow file.",
        |question| match read() {
            Ok(file) => answer(&file, today(), &question),
            Err(error) => Answer::Failed(format!("{SHADOW}: {error}")),
        },
    )
}

fn read() -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let length = File::open(SHADOW)?
        .take(FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    match length as u64 {
        ..=FILE_BYTES => Ok(text),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

/// Days since 1970, as the file counts them.
fn today() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (now.as_secs() / DAY).cast_signed()
}

fn answer(file: &str, today: i64, question: &Question<'_>) -> Answer {
    match *question {
        Question::Password { user, password } => login(file, today, user, password),
        Question::User(user) => match find(file, user) {
            Some(entry) if entry.has_password() => Answer::Yes,
            _ => Answer::No("no such user".to_owned()),
        },
        Question::Login { .. } => Answer::Failed("the shadow helper knows no services".to_owned()),
    }
}

/// The password is compared in any case, if only with somebody else's hash, so that the time does
/// not tell who there is.
fn login(file: &str, today: i64, user: &str, password: &[u8]) -> Answer {
    let no = |why: &str| Answer::No(why.to_owned());
    let entry = find(file, user);
    let Some(entry) = entry.filter(|entry| entry.is_open()) else {
        let mut hashes = file.lines().filter_map(Entry::parse).filter(Entry::is_open);
        let stand_in = hashes.next().map_or(crypt::STAND_IN, |entry| entry.hash);
        crypt::verify(password, stand_in);
        return no(match find(file, user) {
            None => "no such user",
            Some(_) => "no password, or a locked one",
        });
    };
    match crypt::verify(password, entry.hash) {
        None => Answer::Failed(format!(
            "the hash of {user} is of no kind that is read here"
        )),
        Some(false) => no("wrong password"),
        Some(true) => entry.refusal(today).map_or(Answer::Yes, no),
    }
}

fn find<'f>(file: &'f str, user: &str) -> Option<Entry<'f>> {
    file.lines()
        .filter_map(Entry::parse)
        .find(|entry| entry.name == user)
}

/// A line of the file: shadow(5).
struct Entry<'f> {
    name: &'f str,
    hash: &'f str,
    /// The day of the last change; 0 is that it has to be changed at once.
    changed: Option<i64>,
    /// Days after which it has to be changed.
    most: Option<i64>,
    /// The day from which on the account is no more.
    expires: Option<i64>,
}

impl<'f> Entry<'f> {
    fn parse(line: &'f str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        // Nothing is -1, for some programs.
        let number = |index: usize| {
            fields
                .get(index)?
                .parse()
                .ok()
                .filter(|number| *number >= 0)
        };
        Some(Self {
            name: fields.first().copied().filter(|name| !name.is_empty())?,
            hash: fields.get(1)?,
            changed: number(2),
            most: number(4),
            expires: number(7),
        })
    }

    /// Whether there is anything to compare a password with: no hash is no password at all, and what
    /// begins with `!` or `*` is nobody's.
    fn is_open(&self) -> bool {
        !self.hash.is_empty() && !self.hash.starts_with(['!', '*'])
    }

    /// Whether this is a user who has a password, if a locked one, and not one for some service.
    fn has_password(&self) -> bool {
        let hash = self.hash.trim_start_matches('!');
        !hash.is_empty() && !hash.starts_with('*')
    }

    /// Why somebody with the right password is not let in.
    fn refusal(&self, today: i64) -> Option<&'static str> {
        let old = |(changed, most): (i64, i64)| today.saturating_sub(changed) > most;
        if self.expires.is_some_and(|day| today >= day) {
            Some("the account has expired")
        } else if self.changed == Some(0) {
            Some("the password has to be changed")
        } else if self.changed.zip(self.most).is_some_and(old) {
            Some("the password has expired")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "pass word".
    const HASH: &str = "$5$saltstring$Pr2/FkMue4pholsRSwxlRcDhMiu2AJpqw6sz37HLBXB";
    const TODAY: i64 = 20_000;

    fn file() -> String {
        "root:*:19000:0:99999:7:::\n\
         ann:HASH:19000:0:99999:7:::\n\
         lock:!HASH:19000:0:99999:7:::\n\
         open::19000:0:99999:7:::\n\
         over:HASH:19000:0:99999:7::20000:\n\
         next:HASH:19000:0:99999:7::20001:\n\
         aged:HASH:19969:0:30:7:::\n\
         edge:HASH:19970:0:30:7:::\n\
         must:HASH:0:0:99999:7:::\n\
         none:HASH::::::-1:\n\
         weak:$1$abc$I5QHglYK7Y/G.GVxmWVco.:19000:0:99999:7:::\n\
         short:HASH\n\
         broken\n\
         :HASH:19000:0:99999:7:::\n"
            .replace("HASH", HASH)
    }

    fn login(user: &str, password: &str) -> String {
        let question = Question::Password {
            user,
            password: password.as_bytes(),
        };
        answer(&file(), TODAY, &question)
            .to_string()
            .trim()
            .to_owned()
    }

    #[test]
    fn the_password_opens() {
        for user in ["ann", "next", "edge", "none", "short"] {
            assert_eq!(login(user, "pass word"), "yes", "{user}");
            assert_eq!(login(user, "pass"), "no wrong password", "{user}");
            assert_eq!(login(user, ""), "no wrong password", "{user}");
        }
    }

    #[test]
    fn nobody_opens_what_has_no_password() {
        for user in ["root", "lock", "open"] {
            for password in ["pass word", "", "*", "!", HASH] {
                let said = login(user, password);
                assert_eq!(said, "no no password, or a locked one", "{user}");
            }
        }
        for user in ["", "broken", "ANN", "ann:", "ann\n", "bob"] {
            assert_eq!(login(user, "pass word"), "no no such user", "{user}");
        }
    }

    #[test]
    fn days_count() {
        assert_eq!(login("over", "pass word"), "no the account has expired");
        assert_eq!(login("aged", "pass word"), "no the password has expired");
        assert_eq!(
            login("must", "pass word"),
            "no the password has to be changed"
        );
        assert_eq!(
            login("over", "pass"),
            "no wrong password",
            "who does not know it is not told"
        );
    }

    #[test]
    fn what_can_not_be_compared_is_no_wrong_password() {
        assert!(login("weak", "pass word").starts_with("failed the hash of weak"));
        let foreign = Question::Login {
            service: "x",
            user: "ann",
            password: b"pass word",
        };
        assert!(matches!(
            answer(&file(), TODAY, &foreign),
            Answer::Failed(_)
        ));
    }

    #[test]
    fn users_are_those_with_passwords() {
        let known = |user| answer(&file(), TODAY, &Question::User(user)) == Answer::Yes;
        assert!(known("ann") && known("lock") && known("over"));
        assert!(!known("root") && !known("open") && !known("bob") && !known(""));
    }
}
