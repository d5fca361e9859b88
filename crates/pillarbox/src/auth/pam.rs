//! `auth.pam`: the system's users, as the system lets them in.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pillarbox_config::{Directive, Error, Kind};
use pillarbox_proto::helper::{Answer, Question, is_service};

use super::helper::{HELPER, HELPERS, Helper, TIMEOUT, USE_HELPER, verdict};
use super::{Denied, Provider};
use crate::Answer as Later;
use crate::assemble::Assembly;
use crate::log::{Fields, Logger};
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::secret::Secret;

pub(crate) const MODULE: Module = Module {
    name: "auth.pam",
    aliases: &[],
    offers: &[Offer::Provider],
    arguments: "",
    doc: "Asks PAM, by default by the rules of `/etc/pam.d/pillarbox`: whether the password is \
          right, then whether the account may be used. Names are given to PAM as they are after \
          `auth_map`; for the system's users `auth_map email_localpart_optional` takes a domain \
          off.\n\n\
          `pillarbox-pam-helper` does the work, a process for each login. Without further rights it \
          can't check the passwords of `/etc/shadow`: let systemd start it as root at a socket, or \
          put the server's user into the group `shadow`, or install the helper with the setuid bit, \
          for the server's group only. The guide on authentication has an example of each.",
    directives: DIRECTIVES,
    build: |assembly, declaration| Ok(Parts::provider(Pam::build(assembly, declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "service",
        Kind::Text,
        "pillarbox",
        "The name of the PAM service, which is that of a file in `/etc/pam.d`. If there is none, \
         PAM takes its service `other`. Never use one that lets root in without a password \
         (`pam_rootok`), since the helper may be root. A file made for maddy is `service maddy`.",
    ),
    HELPER,
    HELPERS,
    TIMEOUT,
    USE_HELPER,
    Directive::new("debug", Kind::Bool, "no", "Logs what PAM answers.").inherit(),
];

/// The most that a refusal is delayed for the sake of its looks.
const MOST_DELAY: Duration = Duration::from_secs(3);

/// The provider.
struct Pam {
    service: String,
    helper: Helper,
    log: Logger,
    /// How long the last yes took. No refusal comes sooner: modules don't hash for users that they
    /// don't know, and the time would tell.
    yes_took: Mutex<Duration>,
}

impl Pam {
    fn build(assembly: &Assembly<'_>, declaration: &Declaration<'_>) -> Built<Self> {
        declaration.no_args()?;
        let bound = assembly.bind_inheriting(declaration, DIRECTIVES)?;
        let service = bound.text("service").unwrap_or_default();
        if !is_service(service) {
            let span = bound
                .node("service")
                .map_or(declaration.span(), |node| node.span());
            let error = Error::new(span, format!("{service:?} can't be a PAM service"));
            return Err(vec![error.help("it is the name of a file in /etc/pam.d")]);
        }
        Ok(Self {
            service: service.to_owned(),
            helper: Helper::build(assembly, declaration, &bound, "pillarbox-pam-helper")?,
            log: Logger::new("pam").with_debug(bound.flag("debug")),
            yes_took: Mutex::default(),
        })
    }

    async fn ask(&self, user: &str, password: &Secret) -> Result<(), Denied> {
        let begun = Instant::now();
        let question = Question::Login {
            service: &self.service,
            user,
            password: password.reveal(),
        };
        let answer = self.helper.ask(&question).await;
        match &answer {
            Ok(Answer::Yes) => *self.yes_took() = begun.elapsed().min(MOST_DELAY),
            Ok(Answer::No(_)) => {
                let least = *self.yes_took();
                tokio::time::sleep(least.saturating_sub(begun.elapsed())).await;
            }
            _ => {}
        }
        if let Ok(answer) = &answer {
            let answer = answer.to_string();
            let fields: Fields<'_> = &[("answer", &answer.trim_end()), ("username", &user)];
            self.log.debug("PAM has answered", fields);
        }
        verdict("pam", answer)
    }

    fn yes_took(&self) -> std::sync::MutexGuard<'_, Duration> {
        self.yes_took.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for Pam {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Later<'a, Result<(), Denied>> {
        Box::pin(self.ask(user, password))
    }

    fn decoy<'a>(&'a self, _password: &'a Secret) -> Later<'a, ()> {
        let least = *self.yes_took();
        Box::pin(tokio::time::sleep(least))
    }
}
