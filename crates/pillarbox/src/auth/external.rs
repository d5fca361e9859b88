//! `auth.external`: a program decides.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use pillarbox_config::{Bound, Directive, Error, Kind};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::helper::{HELPERS, TIMEOUT, installed, missing};
use super::program::run;
use super::{Denied, Provider};
use crate::Answer;
use crate::assemble::Assembly;
use crate::log::Logger;
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
    Directive::new(
        "helper",
        Kind::Text,
        "",
        "The path of the program. Without it, `pillarbox-auth-helper` is looked for beside the \
         server's own program, and in `../libexec/pillarbox` from there.",
    ),
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
    HELPERS,
    TIMEOUT,
    Directive::new("debug", Kind::Bool, "no", "Logs what the program says.").inherit(),
];

/// The provider.
struct External {
    helper: PathBuf,
    names: Names,
    turns: Semaphore,
    patience: Duration,
    log: Logger,
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
        let bound = assembly.bind_inheriting(declaration, DIRECTIVES)?;
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
            helper: helper(assembly, declaration, &bound)?,
            names,
            turns: Semaphore::new(usize::try_from(bound.integer("helpers")).unwrap_or(1)),
            patience: bound.duration("timeout"),
            log: Logger::new("external").with_debug(bound.flag("debug")),
        })
    }

    async fn ask(&self, user: &str, password: &Secret) -> Result<(), Denied> {
        let name = self.names.of(user).map_err(credentials)?;
        // What would be another line to the program, or no text at all.
        let line_end = |byte: &u8| matches!(byte, b'\n' | b'\0');
        if name.bytes().any(|byte| line_end(&byte)) || password.reveal().iter().any(line_end) {
            return Err(credentials("a line end or NUL in name or password"));
        }
        let lines = [name.as_bytes(), b"\n", password.reveal(), b"\n"].concat();
        let verdict = self.run(name, &Zeroizing::new(lines)).await;
        match verdict.map_err(|error| Denied::Unavailable(error.context("external")))? {
            true => Ok(()),
            false => Err(credentials("the program says no")),
        }
    }

    /// Runs the program when its turn has come, and says whether it says yes.
    async fn run(&self, name: &str, input: &[u8]) -> Result<bool, anyhow::Error> {
        let (begun, path) = (Instant::now(), self.helper.display());
        let turn = timeout(self.patience, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| anyhow!("{path} is busy since {:?}", self.patience))??;
        let left = self.patience.saturating_sub(begun.elapsed());
        let mut program = Command::new(&self.helper);
        program.stdout(Stdio::null());
        let outcome = run(program, input, left).await?;
        let (status, complaint) = (outcome.status, outcome.complaint);
        self.log.debug(
            "answered",
            &[
                ("username", &name),
                ("status", &status.to_string()),
                ("complaint", &complaint),
            ],
        );
        match status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => bail!("{path}: {status}: {complaint}"),
        }
    }
}

/// The program's path.
fn helper(
    assembly: &Assembly<'_>,
    declaration: &Declaration<'_>,
    bound: &Bound<'_>,
) -> Built<PathBuf> {
    let Some(node) = bound.node("helper") else {
        let program = "pillarbox-auth-helper";
        return installed(program).ok_or_else(|| vec![missing(declaration, program)]);
    };
    let helper = assembly.path(bound.text("helper").unwrap_or_default());
    match helper.exists() {
        true => Ok(helper),
        false => {
            let message = format!("external: {} doesn't exist", helper.display());
            Err(vec![Error::new(node.span(), message)])
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::auth::program::tests::{alone, script};
    use crate::testing::{now, parts, refused, secret};

    /// A provider whose program is this shell script.
    fn provider(directory: &Path, text: &str, more: &str) -> Arc<dyn Provider> {
        let path = script(directory, text);
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
        let broken = "a line end or NUL in name or password";
        assert_eq!(verdict(&*provider, "ann\n1 2", "x"), broken);
        assert_eq!(verdict(&*provider, "ann", "1 2\nx"), broken);
        assert_eq!(verdict(&*provider, "ann\0", "1 2"), broken);
        assert_eq!(verdict(&*provider, "ann", "1 2\0x"), broken);
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

    /// Without the rule, a domain that nobody vouches for would be somebody else's name.
    #[test]
    fn without_domains_there_are_only_names() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let provider = provider(directory.path(), ANN, "");
        assert_eq!(verdict(&*provider, "ann", "1 2"), "yes");
        for user in ["ann@", "ann@x.org", "@"] {
            let denied = verdict(&*provider, user, "1 2");
            assert_eq!(denied, "the domain is not one of ours", "{user}");
        }
    }

    #[test]
    fn a_program_that_talks_too_much_is_still_believed() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let provider = provider(directory.path(), "yes | head -c 100000", "");
        assert_eq!(verdict(&*provider, "ann", "1 2"), "yes");
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
        assert!(refused("").contains("pillarbox-auth-helper is not installed"));
        assert!(refused("helper /nonexistent/x").contains("/nonexistent/x doesn't exist"));
        assert!(refused("helper /bin/sh\n perdomain").contains("domains must be set"));
    }
}
