//! `pillarbox-pam-helper`: asks PAM about one password, and ends.
//!
//! A process of its own for each login: PAM modules block, leak, keep state in globals, and may need
//! root, none of which belongs into a server.

mod guard;

use std::process::ExitCode;

use pillarbox_proto::helper::{Answer, Question};

fn main() -> ExitCode {
    guard::run(
        "pillarbox-pam-helper asks PAM about a password.",
        |question| match question {
            Question::Login {
                service,
                user,
                password,
            } => login(service, user, password),
            _ => Answer::Failed("the PAM helper only knows logins".to_owned()),
        },
    )
}

#[cfg(not(pam))]
fn login(_service: &str, _user: &str, _password: &[u8]) -> Answer {
    Answer::Failed("this helper was built without PAM".to_owned())
}

#[cfg(pam)]
use linked::login;

#[cfg(pam)]
mod linked {
    use std::ffi::{OsStr, OsString};
    use std::io;
    use std::os::unix::ffi::OsStrExt;

    use nix::unistd::{getegid, geteuid, setresgid, setresuid};
    use nonstick::libpam::TransactionBuilder;
    use nonstick::{AuthnFlags, ConversationAdapter, ErrorCode, Transaction};
    use pillarbox_proto::helper::Answer;

    pub(super) fn login(service: &str, user: &str, password: &[u8]) -> Answer {
        if let Err(error) = be_effective() {
            return Answer::Failed(format!("the helper can't become its owner: {error}"));
        }
        match authenticate(service, user, password) {
            Ok(()) => Answer::Yes,
            Err((stage, code)) => refusal(service, stage, code),
        }
    }

    /// Installed with the setuid bit, the helper is its owner altogether: modules that run programs
    /// of their own ask for the real user.
    fn be_effective() -> io::Result<()> {
        let (user, group) = (geteuid(), getegid());
        setresgid(group, group, group)?;
        Ok(setresuid(user, user, user)?)
    }

    /// Whether the password is right, then whether its owner may log in at all. What failed is given
    /// with the error.
    fn authenticate(
        service: &str,
        user: &str,
        password: &[u8],
    ) -> Result<(), (&'static str, ErrorCode)> {
        let answers = Answers {
            user: user.into(),
            password: OsStr::from_bytes(password).to_owned(),
        };
        let flags = AuthnFlags::SILENT | AuthnFlags::DISALLOW_NULL_AUTHTOK;
        let builder = TransactionBuilder::new_with_service(service).username(user);
        let mut transaction = builder
            .build(answers.into_conversation())
            .map_err(|code| ("start", code))?;
        transaction
            .authenticate(flags)
            .map_err(|code| ("authentication", code))?;
        transaction
            .account_management(flags)
            .map_err(|code| ("account", code))
    }

    /// A no, where PAM says that it is this user's; anything else is trouble of its own.
    fn refusal(service: &str, stage: &str, code: ErrorCode) -> Answer {
        let text = format!("service {service}, {stage}: {code}");
        match code {
            ErrorCode::AuthenticationError
            | ErrorCode::UserUnknown
            | ErrorCode::MaxTries
            | ErrorCode::PermissionDenied
            | ErrorCode::AccountExpired
            | ErrorCode::AuthTokExpired
            | ErrorCode::CredentialsExpired
            | ErrorCode::NewAuthTokRequired => Answer::No(text),
            _ => Answer::Failed(text),
        }
    }

    /// What modules are told when they ask. Their messages are for people at a terminal.
    struct Answers {
        user: OsString,
        password: OsString,
    }

    impl ConversationAdapter for Answers {
        fn prompt(&self, _request: impl AsRef<OsStr>) -> nonstick::Result<OsString> {
            Ok(self.user.clone())
        }

        fn masked_prompt(&self, _request: impl AsRef<OsStr>) -> nonstick::Result<OsString> {
            Ok(self.password.clone())
        }

        fn error_msg(&self, _message: impl AsRef<OsStr>) {}

        fn info_msg(&self, _message: impl AsRef<OsStr>) {}
    }
}
