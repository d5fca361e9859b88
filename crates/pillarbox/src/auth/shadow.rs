//! `auth.shadow`: the users of the system's shadow file.

use std::sync::Arc;

use pillarbox_config::{Directive, Kind};
use pillarbox_proto::helper::{Answer, Question};

use super::helper::{HELPER, HELPERS, Helper, TIMEOUT, USE_HELPER, verdict};
use super::{Denied, Provider};
use crate::Answer as Later;
use crate::assemble::Assembly;
use crate::log::Logger;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::secret::Secret;
use crate::table::{Table, TableError};

pub(crate) const MODULE: Module = Module {
    name: "auth.shadow",
    aliases: &[],
    offers: &[Offer::Provider, Offer::Table],
    arguments: "",
    doc: "Compares passwords with the hashes in `/etc/shadow` (yescrypt, SHA-512, SHA-256, bcrypt). \
          Expired accounts and passwords open nothing, nor do locked ones and those that are empty. \
          As a table it says who there is: users with a password, locked or not.\n\n\
          `pillarbox-shadow-helper` does the work, a process for each login. It has to be able to \
          read the file: let systemd start it at a socket, or install it with the setgid bit and \
          the group `shadow`, or put the server's user into that group. The guide on authentication \
          has an example of each. Where PAM is there, `auth.pam` is the better choice.",
    directives: DIRECTIVES,
    build: |assembly, declaration| {
        let shadow = Arc::new(Shadow::build(assembly, declaration)?);
        Ok(Parts {
            provider: Some(Arc::clone(&shadow) as Arc<dyn Provider>),
            table: Some(shadow),
            ..Parts::default()
        })
    },
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    HELPER,
    HELPERS,
    TIMEOUT,
    USE_HELPER,
    Directive::new("debug", Kind::Bool, "no", "Logs what the helper answers.").inherit(),
];

/// The provider and table.
struct Shadow {
    helper: Helper,
    log: Logger,
}

impl Shadow {
    fn build(assembly: &Assembly<'_>, declaration: &Declaration<'_>) -> Built<Self> {
        declaration.no_args()?;
        let bound = assembly.bind_inheriting(declaration, DIRECTIVES)?;
        Ok(Self {
            helper: Helper::build(assembly, declaration, &bound, "pillarbox-shadow-helper")?,
            log: Logger::new("shadow").with_debug(bound.flag("debug")),
        })
    }

    async fn ask(&self, user: &str, question: &Question<'_>) -> Result<Answer, anyhow::Error> {
        let answer = self.helper.ask(question).await;
        if let Ok(answer) = &answer {
            let answer = answer.to_string();
            self.log.debug(
                "the helper has answered",
                &[("answer", &answer.trim_end()), ("username", &user)],
            );
        }
        answer
    }

    async fn login(&self, user: &str, password: &Secret) -> Result<(), Denied> {
        let question = Question::Password {
            user,
            password: password.reveal(),
        };
        verdict("shadow", self.ask(user, &question).await)
    }

    async fn knows(&self, user: &str) -> Result<Option<String>, TableError> {
        let answer = self.ask(user, &Question::User(user)).await;
        match verdict("shadow", answer) {
            Ok(()) => Ok(Some(String::new())),
            Err(Denied::Credentials(_)) => Ok(None),
            Err(Denied::Unavailable(error)) => Err(error),
        }
    }
}

impl Provider for Shadow {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Later<'a, Result<(), Denied>> {
        Box::pin(self.login(user, password))
    }

    /// There is no user without a name, and the helper works as long for that one as for any other.
    fn decoy<'a>(&'a self, password: &'a Secret) -> Later<'a, ()> {
        Box::pin(async move {
            let _ = self.login("", password).await;
        })
    }
}

/// As a table it says who there is.
impl Table for Shadow {
    fn lookup<'a>(&'a self, key: &'a str) -> Later<'a, Result<Option<String>, TableError>> {
        Box::pin(self.knows(key))
    }
}

#[cfg(test)]
mod tests {
    use crate::auth::program::tests::{alone, script};
    use crate::testing::{first, look_error, now, parts, secret};

    /// Only ann is there; her password is "pass".
    const ANN: &str = "case $(tr '\\0' ' ') in
        'password ann pass ' | 'user ann ') echo yes ;;
        *' broken '*) echo failed as ever; exit 2 ;;
        *) echo no; exit 1 ;;
    esac";

    #[test]
    fn it_is_a_provider_and_a_table() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let helper = script(directory.path(), ANN);
        let text = format!("auth.shadow x {{\n helper {}\n}}", helper.display());
        let parts = parts(&text, "x");
        let (provider, table) = (parts.provider.unwrap(), parts.table.unwrap());
        let login = |user, password| now(provider.authenticate(user, &secret(password))).is_ok();
        assert!(login("ann", "pass") && !login("ann", "word") && !login("bob", "pass"));
        assert_eq!(first(&*table, "ann").as_deref(), Some(""));
        assert_eq!(first(&*table, "bob"), None);
        assert_eq!(first(&*table, "a\0"), None);
        assert!(look_error(&*table, "broken").contains("shadow: as ever"));
    }
}
