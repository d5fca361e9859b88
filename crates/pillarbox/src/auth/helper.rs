//! Helper programs of ours: PAM's and the shadow file's.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use pillarbox_config::{Bound, Directive, Error, Kind};
use pillarbox_proto::helper::{ANSWER_BYTES, Answer, Question};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Denied;
use super::program::run;
use crate::assemble::Assembly;
use crate::module::{Built, Declaration};

/// `helper`.
pub(super) const HELPER: Directive = Directive::new(
    "helper",
    Kind::Text,
    "",
    "The helper's path: a program, or a unix socket at which a service manager starts one for each \
     connection. Without it, the helper is looked for beside the server's own program, and in \
     `../libexec/pillarbox` from there.",
);

/// `helpers`.
pub(super) const HELPERS: Directive = Directive::new(
    "helpers",
    Kind::Integer { min: 1, max: 1024 },
    "16",
    "How many helpers may run at the same time. Further logins wait for their turn.",
);

/// `timeout`.
pub(super) const TIMEOUT: Directive = Directive::new(
    "timeout",
    Kind::Duration {
        min: Duration::from_secs(1),
        max: Duration::from_secs(100),
    },
    "30s",
    "How long a login may take, the wait for its turn included. After that it is refused as \
     temporarily unavailable.",
);

/// `use_helper`.
pub(super) const USE_HELPER: Directive = Directive::new(
    "use_helper",
    Kind::Bool,
    "yes",
    "Understood and without effect: there always is a helper.",
);

/// A helper program, one process for each question.
pub(super) struct Helper {
    path: PathBuf,
    turns: Semaphore,
    patience: Duration,
}

impl Helper {
    /// The helper that a block with the directives above is about. `program` is its file's name.
    pub(super) fn build(
        assembly: &Assembly<'_>,
        declaration: &Declaration<'_>,
        bound: &Bound<'_>,
        program: &str,
    ) -> Built<Self> {
        let path = match (bound.text("helper"), bound.node("helper")) {
            (Some(text), Some(node)) => {
                let path = assembly.path(text);
                if !path.exists() {
                    let message = format!("{} doesn't exist", path.display());
                    return Err(vec![Error::new(node.span(), message)]);
                }
                path
            }
            _ => installed(program).ok_or_else(|| vec![missing(declaration, program)])?,
        };
        let helpers = usize::try_from(bound.integer("helpers")).unwrap_or(1);
        Ok(Self {
            path,
            turns: Semaphore::new(helpers),
            patience: bound.duration("timeout"),
        })
    }

    /// Asks a question, when its turn has come.
    ///
    /// # Errors
    /// The helper can't be run, took too long, or did not answer.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Answer, anyhow::Error> {
        let Some(question) = question.print().map(Zeroizing::new) else {
            return Ok(Answer::No(
                "a name or password that can't be asked for".to_owned(),
            ));
        };
        let begun = Instant::now();
        let turn = timeout(self.patience, self.turns.acquire()).await;
        let _turn =
            turn.map_err(|_| anyhow!("no helper was free within {:?}", self.patience))??;
        let left = self.patience.saturating_sub(begun.elapsed());
        match fs::metadata(&self.path) {
            Ok(meta) if meta.file_type().is_socket() => {
                let answer = timeout(left, connect(&self.path, &question)).await;
                answer.map_err(|_| anyhow!("{} took more than {left:?}", self.path.display()))?
            }
            _ => start(&self.path, &question, left).await,
        }
    }
}

/// What an answer means for a login. `provider` is who was asked, for the log.
pub(super) fn verdict(provider: &str, answer: Result<Answer, anyhow::Error>) -> Result<(), Denied> {
    match answer {
        Ok(Answer::Yes) => Ok(()),
        Ok(Answer::No(why)) => Err(Denied::Credentials(format!("{provider}: {why}"))),
        Ok(Answer::Failed(why)) => Err(Denied::Unavailable(anyhow!("{provider}: {why}"))),
        Err(error) => Err(Denied::Unavailable(error.context(provider.to_owned()))),
    }
}

/// Where the helper of this name is installed.
pub(super) fn installed(program: &str) -> Option<PathBuf> {
    let own = env::current_exe().ok()?;
    // A program that was replaced while it ran.
    let own = own.as_os_str().to_str()?.trim_end_matches(" (deleted)");
    let beside = Path::new(OsStr::new(own)).parent()?;
    let places = [beside.to_owned(), beside.join("../libexec/pillarbox")];
    let mut paths = places.iter().map(|place| place.join(program));
    paths.find(|path| path.is_file())
}

pub(super) fn missing(declaration: &Declaration<'_>, program: &str) -> Error {
    let error = declaration.error(format!("{program} is not installed"));
    error.help("install it beside the server's program, or say `helper PATH`")
}

async fn start(path: &Path, question: &[u8], patience: Duration) -> Result<Answer, anyhow::Error> {
    // The environment is nobody's business.
    let mut program = Command::new(path);
    program.env_clear().stdout(Stdio::piped());
    let outcome = run(program, question, patience).await?;
    let answer = Answer::parse(&outcome.output)
        // A helper that said yes and then came to harm is not believed.
        .filter(|answer| outcome.status.code() == Some(i32::from(answer.exit_status())));
    answer.with_context(|| {
        let path = path.display();
        format!("{path}: {}: {}", outcome.status, outcome.complaint)
    })
}

/// Asks a helper that somebody else starts.
async fn connect(path: &Path, question: &[u8]) -> Result<Answer, anyhow::Error> {
    let talk = async {
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(question).await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        let most = ANSWER_BYTES as u64 + 1;
        stream.take(most).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = talk.await.with_context(|| path.display().to_string())?;
    Answer::parse(&answer).with_context(|| format!("{}: no answer", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;

    use super::*;
    use crate::auth::Provider;
    use crate::auth::program::tests::{alone, script};
    use crate::testing::{now, parts, refused, secret};

    fn provider(helper: &Path, more: &str) -> Arc<dyn Provider> {
        let text = format!("auth.pam x {{\n helper {}\n {more}\n}}", helper.display());
        parts(&text, "x").provider.unwrap()
    }

    fn login(provider: &dyn Provider, password: &str) -> String {
        match now(provider.authenticate("ann", &secret(password))) {
            Ok(()) => "yes".to_owned(),
            Err(Denied::Credentials(why)) => why,
            Err(Denied::Unavailable(error)) => format!("unavailable: {error:#}"),
        }
    }

    /// What a helper that is this shell script is understood to say.
    fn said(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        login(&*provider(&script(directory.path(), text), ""), "pass")
    }

    #[test]
    fn a_helper_is_asked_by_its_standard_input() {
        let _alone = alone();
        let words = "tr '\\0' ' ' | grep -qx 'login pillarbox ann pass ' && echo yes";
        assert_eq!(said(words), "yes");
        assert_eq!(
            said("[ $# = 0 ] && [ -z \"$HOME$USER\" ] && echo yes"),
            "yes"
        );
        assert_eq!(said("echo no such user; exit 1"), "pam: such user");
        assert_eq!(
            said("echo failed as ever; exit 2"),
            "unavailable: pam: as ever"
        );
    }

    #[test]
    fn what_is_no_answer_is_no_verdict() {
        let _alone = alone();
        for text in [
            "exit 0",
            "exit 1",
            "echo yes; exit 1",
            "echo no; exit 0",
            "echo yes; kill -9 $$",
            "printf yes",
            "echo yes; echo yes",
            "echo YES",
            "echo crash >&2; exit 0",
        ] {
            let said = said(text);
            assert!(said.starts_with("unavailable: pam: "), "{text}: {said}");
        }
        assert!(said("echo crash >&2; exit 139").ends_with("crash"));
    }

    #[test]
    fn what_c_can_not_read_is_nobodys_password() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let yes = provider(&script(directory.path(), "echo yes"), "");
        assert_eq!(login(&*yes, "a"), "yes");
        assert_eq!(
            login(&*yes, "a\0b"),
            "pam: a name or password that can't be asked for"
        );
        assert!(login(&*yes, &"x".repeat(100_000)).starts_with("pam: a name or"));
    }

    #[test]
    fn a_helper_that_is_gone_is_nobodys_fault() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let path = script(directory.path(), "echo yes");
        let provider = provider(&path, "");
        fs::remove_file(&path).unwrap();
        assert!(login(&*provider, "a").starts_with("unavailable: pam: /"));
    }

    #[test]
    fn those_who_find_all_helpers_busy_are_told_in_time() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let path = script(directory.path(), "exec sleep 3600");
        let provider = provider(&path, "timeout 1s\n helpers 1");
        let (a, b) = (secret("a"), secret("b"));
        let both = async {
            tokio::join!(
                provider.authenticate("ann", &a),
                provider.authenticate("bob", &b)
            )
        };
        let (first, second) = now(both);
        for outcome in [first, second] {
            let Err(Denied::Unavailable(error)) = outcome else {
                panic!("{outcome:?}");
            };
            let error = format!("{error:#}");
            assert!(error.contains("took more than") || error.contains("no helper was free"));
        }
    }

    /// As systemd does it with `Accept=yes`.
    #[test]
    fn a_helper_may_be_started_by_somebody_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let served = std::thread::spawn(move || {
            use std::io::{Read, Write};
            for answer in ["yes\n", "no way\n", ""] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = Vec::new();
                stream.read_to_end(&mut asked).unwrap();
                assert_eq!(asked, b"login\0pillarbox\0ann\0pass\0");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let provider = provider(&path, "");
        assert_eq!(login(&*provider, "pass"), "yes");
        assert_eq!(login(&*provider, "pass"), "pam: way");
        assert!(login(&*provider, "pass").starts_with("unavailable: pam: /"));
        served.join().unwrap();
        assert!(login(&*provider, "pass").starts_with("unavailable: pam: /"));
    }

    #[test]
    fn what_has_to_be_said() {
        assert!(refused("auth.pam x", "x").contains("pillarbox-pam-helper is not installed"));
        let refused = |text: &str| refused(&format!("auth.pam x {{\n {text}\n}}"), "x");
        assert!(refused("helper /nonexistent/x").contains("/nonexistent/x doesn't exist"));
        assert!(refused("helper /bin/sh\n service ../x").contains("can't be a PAM service"));
        assert!(refused("helper /bin/sh\n helpers 0").contains("helpers"));
    }
}
