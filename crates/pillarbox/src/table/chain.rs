//! `table.chain`: the values of one table are the keys of the next.

use std::sync::Arc;

use anyhow::bail;
use pillarbox_config::{Directive, Kind};

use super::{Table, TableError};
use crate::Answer;
use crate::assemble::Assembly;
use crate::module::{Built, Declaration, Module, Offer, Parts};

pub(crate) const MODULE: Module = Module {
    name: "table.chain",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "",
    doc: "Looks the key up in one table, what that gives in the next, and so on, in the order \
          written.",
    directives: DIRECTIVES,
    build: |assembly, declaration| Ok(Parts::table(Chain::build(assembly, declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "step",
        Kind::Module("table"),
        "",
        "A table that has to know the key: what it does not know is not found.",
    )
    .repeat(),
    Directive::new(
        "optional_step",
        Kind::Module("table"),
        "",
        "A table that may know the key: what it does not know goes on unchanged.",
    )
    .repeat(),
];

/// Values that one lookup may grow to, since each step could double them.
const VALUES: usize = 1_000;

/// The table.
struct Chain(Vec<Step>);

struct Step {
    table: Arc<dyn Table>,
    optional: bool,
}

impl Chain {
    fn build<'t>(assembly: &mut Assembly<'t>, declaration: &Declaration<'t>) -> Built<Self> {
        declaration.no_args()?;
        declaration.bind(DIRECTIVES)?;
        if declaration.block.is_empty() {
            let error = declaration.error("chain: at least one step is required");
            return Err(vec![error]);
        }
        // The order of both directives together counts, so the block is walked, not the rows.
        let steps = declaration.block.iter().map(|node| {
            Ok(Step {
                table: assembly.table(node)?,
                optional: node.name.text == "optional_step",
            })
        });
        Ok(Self(steps.collect::<Built<_>>()?))
    }
}

impl Table for Chain {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        Box::pin(async move { Ok(self.lookup_all(key).await?.into_iter().next()) })
    }

    fn lookup_all<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Vec<String>, TableError>> {
        Box::pin(async move {
            let mut values = vec![key.to_owned()];
            for step in &self.0 {
                let next = step.apply(&values).await?;
                if !next.is_empty() {
                    values = next;
                } else if !step.optional {
                    return Ok(Vec::new());
                }
            }
            Ok(values)
        })
    }
}

impl Step {
    /// All values of all keys.
    async fn apply(&self, keys: &[String]) -> Result<Vec<String>, TableError> {
        let mut values = Vec::new();
        for key in keys {
            values.extend(self.table.lookup_all(key).await?);
            if values.len() > VALUES {
                bail!("chain: more than {VALUES} values");
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{first, look, look_error, refused_table, table};

    #[test]
    fn each_step_maps_what_the_one_before_gave() {
        let table = table(
            "chain {
                step email_localpart
                optional_step static {
                    entry a b c
                }
                step regexp (.) $1$1
            }",
        );
        assert_eq!(look(&*table, "a@example.org"), ["bb", "cc"]);
        assert_eq!(first(&*table, "a@example.org").as_deref(), Some("bb"));
        assert_eq!(look(&*table, "x@example.org"), ["xx"], "optional: goes on");
        assert!(
            look(&*table, "a").is_empty(),
            "the first step is not optional"
        );
        assert!(look(&*table, "xy@example.org").is_empty());
    }

    #[test]
    fn values_do_not_grow_without_bound() {
        let doubling = "step regexp (.+) $1 $1\n".repeat(20);
        assert!(
            look_error(&*table(&format!("chain {{\n{doubling}}}")), "a").contains("1000 values")
        );
    }

    #[test]
    fn steps_are_needed_and_must_be_tables() {
        assert!(refused_table("chain").contains("at least one step"));
        assert!(refused_table("chain { step dummies }").contains("unknown module: dummies"));
        assert!(refused_table("chain { hop identity }").contains("unexpected directive: hop"));
    }
}
