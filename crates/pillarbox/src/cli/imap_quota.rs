//! `pillarbox imap-acct quota`: what accounts have and may have.

use pillarbox_config::unit;
use pillarbox_model::{PerResource, Resource};
use pillarbox_store::{Account, Limit, Quota as Found};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::admin::{Outcome, account, say};
use super::console::Console;
use crate::storage::Storage;

/// `quota`, with its arguments. Without new limits it shows what counts.
#[derive(clap::Args, Serialize, Deserialize)]
pub(super) struct Quota {
    /// The most that all messages may have together
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "name")]
    storage: Option<Given>,
    /// The most messages
    #[arg(long, value_name = "NUMBER", value_parser = number, requires = "name")]
    messages: Option<Given>,
    /// The most mailboxes
    #[arg(long, value_name = "NUMBER", value_parser = number, requires = "name")]
    mailboxes: Option<Given>,
    /// The account; all of them, one a line, if none is named
    name: Option<String>,
}

/// A limit as it is given.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Given {
    Default,
    Unlimited,
    At(u64),
}

impl From<Given> for Limit {
    fn from(given: Given) -> Self {
        match given {
            Given::Default => Self::Default,
            Given::Unlimited => Self::Unlimited,
            Given::At(limit) => Self::At(limit),
        }
    }
}

fn size(text: &str) -> Result<Given, String> {
    let size = || unit::size(text).map_err(|_| format!("{text} is no size: as in 10G, 500M"));
    given(text, size)
}

fn number(text: &str) -> Result<Given, String> {
    let number = || text.parse().map_err(|_| format!("{text} is no number"));
    given(text, number)
}

fn given(text: &str, limit: impl Fn() -> Result<u64, String>) -> Result<Given, String> {
    match text {
        "default" => Ok(Given::Default),
        "none" => Ok(Given::Unlimited),
        _ => limit().map(Given::At),
    }
}

/// The resources as people call them.
const NAMES: [(Resource, &str); 3] = [
    (Resource::Storage, "storage"),
    (Resource::Message, "messages"),
    (Resource::Mailbox, "mailboxes"),
];

impl Quota {
    pub(super) async fn perform(&self, storage: &Storage, console: &mut dyn Console) -> Outcome {
        let Some(name) = &self.name else {
            return show_all(storage, console).await;
        };
        let account = account(storage, name).await?;
        let found = storage.store.quota(account.id).await?;
        match self.changed(found.own) {
            Some(own) => Ok(storage.store.set_quota(account.id, own).await?),
            None => show(&found, console).await,
        }
    }

    /// The limits with the new ones, if there are any.
    fn changed(&self, mut own: PerResource<Limit>) -> Option<PerResource<Limit>> {
        let given = [self.storage, self.messages, self.mailboxes];
        for (resource, given) in Resource::ALL.into_iter().zip(given) {
            if let Some(given) = given {
                own.set(resource, given.into());
            }
        }
        given.iter().any(Option::is_some).then_some(own)
    }
}

async fn show(found: &Found, console: &mut dyn Console) -> Outcome {
    for (resource, name) in NAMES {
        let usage = written(resource, found.usage.get(resource));
        let limit = match found.limits.get(resource) {
            Some(limit) => format!(" of {}", written(resource, limit)),
            None => ", no limit".to_owned(),
        };
        let whose = match found.own.get(resource) {
            Limit::Default => " (default)",
            Limit::Unlimited | Limit::At(_) => "",
        };
        say(console, &format!("{name}: {usage}{limit}{whose}")).await?;
    }
    Ok(())
}

async fn show_all(storage: &Storage, console: &mut dyn Console) -> Outcome {
    for account in storage.store.accounts().await? {
        let found = storage.store.quota(account.id).await?;
        let mut line = account.name.to_string();
        for resource in Resource::ALL {
            let limit = found.limits.get(resource);
            let limit = limit.map_or("-".to_owned(), |limit| written(resource, limit));
            let usage = written(resource, found.usage.get(resource));
            line.push_str(&format!("\t{usage}/{limit}"));
        }
        say(console, &line).await?;
    }
    Ok(())
}

fn written(resource: Resource, number: u64) -> String {
    match resource {
        Resource::Storage => unit::write_size(number),
        Resource::Message | Resource::Mailbox => number.to_string(),
    }
}

/// An account of a listing. Limits that there are not are null.
pub(super) fn as_json(account: &Account, found: &Found) -> Value {
    let by_name = |value: &dyn Fn(Resource) -> Value| {
        let values = NAMES
            .iter()
            .map(|(resource, name)| ((*name).to_owned(), value(*resource)));
        Value::Object(values.collect())
    };
    json!({
        "name": account.name,
        "append_limit": account.append_limit,
        "usage": by_name(&|resource| json!(found.usage.get(resource))),
        "quota": by_name(&|resource| json!(found.limits.get(resource))),
    })
}
