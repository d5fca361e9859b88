//! `auth.plain_separate`: who there is and what opens, from different places.

use std::sync::Arc;

use pillarbox_config::{Directive, Kind};
use pillarbox_proto::sasl::ScramHash;

use super::login::{first_accepting, first_token};
use super::{Denied, LabelledKeys, Offers, Provider, TokenHint};
use crate::Answer;
use crate::assemble::Assembly;
use crate::module::{Built, Declaration, Module, Offer, Parts};
use crate::secret::Secret;
use crate::table::{Table, TableError};

pub(crate) const MODULE: Module = Module {
    name: "auth.plain_separate",
    aliases: &[],
    offers: &[Offer::Provider, Offer::Table],
    arguments: "",
    doc: "Lets in who is in one of the `user` tables and whom one of the `pass` providers \
          accepts. Without `user`, the providers alone decide.",
    directives: DIRECTIVES,
    build: |assembly, declaration| {
        let separate = Arc::new(PlainSeparate::build(assembly, declaration)?);
        Ok(Parts {
            provider: Some(Arc::clone(&separate) as Arc<dyn Provider>),
            table: Some(separate),
            ..Parts::default()
        })
    },
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "user",
        Kind::Module("table"),
        "",
        "A table that has to know the name. The value does not matter.",
    )
    .repeat(),
    Directive::new(
        "pass",
        Kind::Module("auth"),
        "",
        "A provider that checks the password. Several are tried in their order.",
    )
    .repeat()
    .required(),
    Directive::new("debug", Kind::Bool, "no", "Logs more."),
];

/// The provider.
struct PlainSeparate {
    users: Vec<Arc<dyn Table>>,
    providers: Vec<Arc<dyn Provider>>,
}

impl PlainSeparate {
    fn build<'t>(assembly: &mut Assembly<'t>, declaration: &Declaration<'t>) -> Built<Self> {
        declaration.no_args()?;
        let bound = declaration.bind(DIRECTIVES)?;
        let users = bound.nodes("user").into_iter();
        let users = users
            .map(|node| assembly.table(node))
            .collect::<Built<_>>()?;
        let providers = bound.nodes("pass").into_iter();
        let providers = providers
            .map(|node| assembly.provider(node))
            .collect::<Built<_>>()?;
        Ok(Self { users, providers })
    }

    async fn knows(&self, user: &str) -> Result<bool, TableError> {
        for table in &self.users {
            if table.lookup(user).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(self.users.is_empty())
    }
}

impl Provider for PlainSeparate {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>> {
        Box::pin(async move {
            match self.knows(user).await {
                Ok(true) => first_accepting(&self.providers, user, password).await,
                Ok(false) => {
                    self.decoy(password).await;
                    Err(Denied::Credentials("unknown user".to_owned()))
                }
                Err(error) => Err(Denied::Unavailable(error)),
            }
        })
    }

    fn decoy<'a>(&'a self, password: &'a Secret) -> Answer<'a, ()> {
        Box::pin(async move {
            for provider in &self.providers {
                provider.decoy(password).await;
            }
        })
    }

    fn offers(&self) -> Offers {
        Offers::together(self.providers.iter().map(|provider| provider.offers()))
    }

    fn scram_keys<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> Answer<'a, Result<Vec<LabelledKeys>, Denied>> {
        Box::pin(async move {
            match self.knows(user).await {
                Ok(true) => {}
                Ok(false) => return Ok(Vec::new()),
                Err(error) => return Err(Denied::Unavailable(error)),
            }
            for provider in &self.providers {
                let keys = provider.scram_keys(user, hash).await?;
                if !keys.is_empty() {
                    return Ok(keys);
                }
            }
            Ok(Vec::new())
        })
    }

    fn scram_used(&self, user: &str, label: &str) {
        for provider in &self.providers {
            provider.scram_used(user, label);
        }
    }

    fn token<'a>(&'a self, token: &'a Secret) -> Answer<'a, Result<String, Denied>> {
        Box::pin(async move {
            let (_, user) = first_token(&self.providers, token).await?;
            match self.knows(&user).await {
                Ok(true) => Ok(user),
                Ok(false) => Err(Denied::Credentials("unknown user".to_owned())),
                Err(error) => Err(Denied::Unavailable(error)),
            }
        })
    }

    fn token_hint(&self) -> TokenHint {
        let mut providers = self.providers.iter();
        let tokens = providers.find(|provider| provider.offers().tokens);
        tokens.map_or_else(TokenHint::default, |provider| provider.token_hint())
    }

    fn generation(&self) -> u64 {
        let generations = self.providers.iter().map(|provider| provider.generation());
        generations.fold(0, u64::wrapping_add)
    }
}

/// As a table it says who there is.
impl Table for PlainSeparate {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        Box::pin(async move { Ok(self.knows(key).await?.then(String::new)) })
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{now, parts, refused, secret};

    #[test]
    fn names_and_passwords_come_from_different_places() {
        let text = "auth.plain_separate x {
            user static {
                entry a b
            }
            user static {
                entry c d
            }
            pass dummy
        }";
        let provider = parts(text, "x").provider.unwrap();
        let login = |user: &str| now(provider.authenticate(user, &secret("any"))).is_ok();
        assert!(login("a") && login("c"));
        assert!(!login("b") && !login("A"));
    }

    #[test]
    fn without_names_the_password_decides() {
        let provider = parts("auth.plain_separate x { pass dummy }", "x")
            .provider
            .unwrap();
        assert!(now(provider.authenticate("anybody", &secret("any"))).is_ok());
        let refused = refused("auth.plain_separate x", "x");
        assert!(refused.contains("missing required directive: pass"));
    }
}
