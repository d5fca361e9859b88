//! `auth.external`: a program decides.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use pillarbox_config::{Directive, Error, Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Denied, Provider};
use crate::Answer;
use crate::assemble::Assembly;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::secret::Secret;

pub(crate) const MODULE: Module = Module {
    name: "auth.external",
    aliases: &[],
    offers: &[Offer::Provider],
    arguments: "",
    doc: "Runs a program for each login. It reads the user's name and the password from its standard \
          input, a line each, and says by its exit status what it thinks: 0 is yes, 1 is no, anything \
          else is a failure, and what it then wrote to its standard error is logged.",
    directives: DIRECTIVES,
    build: |assembly, declaration| Ok(Parts::provider(External::build(assembly, declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new("helper", Kind::Text, "", "The path of the program.").required(),
    Directive::new(
        "perdomain",
        Kind::Bool,
        "no",
        "Names are addresses, whose domain must be one of `domains`, and the program gets them \
         whole. Otherwise it gets the part before the `@`.",
    ),
    Directive::new(
        "domains",
        Kind::TextList,
        "",
        "The domains that names may have. Without any, only names without a domain are known.",
    ),
    Directive::new("debug", Kind::Bool, "no", "Logs more."),
];

/// Programs that run at the same time; further logins wait.
const AT_ONCE: usize = 32;
/// How long a program may think. Somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is read of a program's complaints, in bytes.
const COMPLAINT_BYTES: u64 = 4_096;

/// The provider.
struct External {
    helper: PathBuf,
    names: Names,
    running: Semaphore,
}

/// Which names there can be.
struct Names {
    /// With their domains, or without.
    per_domain: bool,
    /// In lower case.
    domains: Vec<String>,
}

impl External {
    fn build(assembly: &Assembly<'_>, declaration: &Declaration<'_>) -> Built<Self> {
        declaration.no_args()?;
        let bound = declaration.bind(DIRECTIVES)?;
        let helper = assembly.path(bound.text("helper").unwrap_or_default());
        if !helper.exists() {
            let span = bound
                .node("helper")
                .map_or(declaration.span(), |node| node.span());
            let message = format!("external: {} doesn't exist", helper.display());
            return Err(vec![Error::new(span, message)]);
        }
        let domains = bound.list("domains").into_iter().map(str::to_lowercase);
        let names = Names {
            per_domain: bound.flag("perdomain"),
            domains: domains.collect(),
        };
        if names.per_domain && names.domains.is_empty() {
            let error = declaration.error("external: domains must be set if perdomain is used");
            return Err(vec![error.help("add `domains example.org`")]);
        }
        Ok(Self {
            helper,
            names,
            running: Semaphore::new(AT_ONCE),
        })
    }

    async fn ask(&self, user: &str, password: &Secret) -> Result<(), Denied> {
        let name = self.names.of(user).map_err(credentials)?;
        if name.contains('\n') || password.reveal().contains(&b'\n') {
            return Err(credentials("a line end in name or password"));
        }
        let line = [name.as_bytes(), b"\n", password.reveal(), b"\n"].concat();
        let verdict = async {
            let _turn = self.running.acquire().await?;
            run(&self.helper, &Zeroizing::new(line)).await
        };
        match verdict.await.map_err(Denied::Unavailable)? {
            true => Ok(()),
            false => Err(credentials("the program says no")),
        }
    }
}

fn credentials(why: &str) -> Denied {
    Denied::Credentials(why.to_owned())
}

impl Provider for External {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>> {
        Box::pin(self.ask(user, password))
    }
}

impl Names {
    /// The name that the program is asked about.
    fn of<'n>(&self, user: &'n str) -> Result<&'n str, &'static str> {
        match user.split_once('@') {
            Some((_, domain)) if !self.domains.contains(&domain.to_lowercase()) => {
                Err("the domain is not one of ours")
            }
            Some(_) if self.per_domain => Ok(user),
            Some((name, _)) => Ok(name),
            None if self.per_domain => Err("a domain is required"),
            None => Ok(user),
        }
    }
}

/// Runs the program to its end, and says whether it says yes. If nobody waits any more, it is
/// killed.
async fn run(helper: &Path, input: &[u8]) -> Result<bool, anyhow::Error> {
    let mut child = Command::new(helper)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| helper.display().to_string())?;
    let talk = timeout(PATIENCE, talk(&mut child, input));
    let (status, complaint) = talk
        .await
        .map_err(|_| anyhow!("{} takes too long", helper.display()))??;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => bail!("{}: {status}: {}", helper.display(), complaint.trim()),
    }
}

async fn talk(child: &mut Child, input: &[u8]) -> Result<(ExitStatus, String), anyhow::Error> {
    if let Some(mut stdin) = child.stdin.take() {
        // A program that has decided need not have read all: its status counts.
        let _ = stdin.write_all(input).await;
    }
    let mut complaint = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // Closing the pipe after that ends a program that does not stop complaining.
        stderr
            .take(COMPLAINT_BYTES)
            .read_to_end(&mut complaint)
            .await?;
    }
    let status = child.wait().await?;
    Ok((status, String::from_utf8_lossy(&complaint).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use super::*;
    use crate::testing::{now, parts, refused, secret};

    /// One test at a time: a program can't run while its file is open for writing, which it may be
    /// in a child that another test has just forked.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A provider whose program is this shell script.
    fn provider(directory: &Path, script: &str, more: &str) -> Arc<dyn Provider> {
        let path = directory.join("helper");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let text = format!(
            "auth.external x {{\n helper {}\n {more}\n}}",
            path.display()
        );
        parts(&text, "x").provider.unwrap()
    }

    /// Says yes to one name and password only.
    const ANN: &str = "read -r user; read -r password; [ \"$user $password\" = 'ann 1 2' ]";

    fn verdict(provider: &dyn Provider, user: &str, password: &str) -> String {
        match now(provider.authenticate(user, &secret(password))) {
            Ok(()) => "yes".to_owned(),
            Err(Denied::Credentials(why)) => why,
            Err(Denied::Unavailable(error)) => format!("unavailable: {error:#}"),
        }
    }

    #[test]
    fn the_program_decides() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let provider = provider(directory.path(), ANN, "domains Example.org");
        assert_eq!(verdict(&*provider, "ann", "1 2"), "yes");
        assert_eq!(verdict(&*provider, "ann@EXAMPLE.org", "1 2"), "yes");
        assert_eq!(verdict(&*provider, "ann", "1"), "the program says no");
        assert_eq!(
            verdict(&*provider, "ann@x.org", "1 2"),
            "the domain is not one of ours"
        );
        let broken = "a line end in name or password";
        assert_eq!(verdict(&*provider, "ann\n1 2", "x"), broken);
        assert_eq!(verdict(&*provider, "ann", "1 2\nx"), broken);
    }

    #[test]
    fn domains_may_be_part_of_the_name() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let script = ANN.replace("ann", "ann@x.org");
        let provider = provider(directory.path(), &script, "perdomain\n domains x.org");
        assert_eq!(verdict(&*provider, "ann@x.org", "1 2"), "yes");
        assert_eq!(verdict(&*provider, "ann", "1 2"), "a domain is required");
        assert_ne!(verdict(&*provider, "ann@y@x.org", "1 2"), "yes");
    }

    #[test]
    fn a_failure_is_not_a_no() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let provider = provider(directory.path(), "echo no database >&2; exit 2", "");
        let failed = verdict(&*provider, "ann", "1 2");
        assert!(
            failed.starts_with("unavailable: ") && failed.contains("no database"),
            "{failed}"
        );
    }

    #[test]
    fn what_has_to_be_said() {
        let refused = |text: &str| refused(&format!("auth.external x {{\n {text}\n}}"), "x");
        assert!(refused("").contains("missing required directive: helper"));
        assert!(refused("helper /nonexistent/x").contains("/nonexistent/x doesn't exist"));
        assert!(refused("helper /bin/sh\n perdomain").contains("domains must be set"));
    }
}
