//! `pillarbox docs`: the reference, out of the tables of directives.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use pillarbox_config::reference_page;

use super::{Context, Failure};
use crate::assemble::{GLOBAL_DIRECTIVES, endpoints, modules};
use crate::module::Module;
use crate::net::{proxy, tls};

/// Writes the reference's pages into a directory.
#[derive(clap::Args)]
pub(super) struct Docs {
    /// Where to; it must exist
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// A page of the reference.
struct Page {
    /// Of its file, without `.md`.
    name: &'static str,
    /// What the list of pages says of it.
    summary: &'static str,
    text: String,
}

const GLOBALS: &str = "Directives at top level, outside of blocks: they hold for the whole server, \
                       and some of them for blocks that say nothing else.";

const TLS_CLIENT: &str = "`tls_client { ... }` says what other servers have to show under TLS, and \
                          what they are shown. At top level it holds for all blocks that connect to \
                          somebody; such a block may have one of its own, which replaces it. Files \
                          are read when the configuration is loaded; relative paths are in \
                          `state_dir`.";

const PROXY: &str = "\
`proxy_protocol ADDRESS... { ... }` stands in the blocks of endpoints. It takes the client's address
from the header of the PROXY protocol (versions 1 and 2), which HAProxy, nginx and load balancers put
before what a client says. The address then counts wherever a client's address does: in the log, in
limits of connections, in the back-off after failed logins.

- Only the proxies that are named are believed, and peers on unix sockets. Without any name everybody
  is, and anyone can claim any address. A header of anybody else is dropped, which the log says:
  `connection from untrusted source`.
- A connection without a header is one that came directly. A client that waits to be greeted is
  greeted when `header_timeout` is over, at once if its address is not believed in any case.
- A header that is malformed closes the connection, and so does one that comes too late. The log says
  why.
- On a `tls://` address TLS comes after the header, as the client began it or as the proxy does.
- With `tls` in the block, proxy and server have TLS, and what is in it counts as encrypted: STARTTLS
  is not offered, passwords are taken. See to it that clients have TLS with the proxy as well. TLS may
  begin before the header, which is then protected, or right after it, as with HAProxy's
  `server ... ssl send-proxy-v2`.
- From version 2 it also takes whether the client has TLS with the proxy (`PP2_TYPE_SSL`): if so, the
  connection counts as encrypted. The way from the proxy to the server has to be safe for that.
- Connections count for the limits of clients, never for those of the proxy.";

impl Docs {
    pub(super) fn run(self, _: &Context) -> Result<(), Failure> {
        for (name, text) in files() {
            let path = self.directory.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// The files of the reference that the tables give, by name.
fn files() -> Vec<(String, String)> {
    let pages = pages();
    let index = ("README.md".to_owned(), index(&pages));
    let pages = pages.into_iter();
    let mut files: Vec<_> = pages
        .map(|page| (format!("{}.md", page.name), page.text))
        .collect();
    files.push(index);
    files
}

fn pages() -> Vec<Page> {
    let mut pages = vec![Page {
        name: "global",
        summary: "what holds for the whole server",
        text: reference_page("Global directives", GLOBALS, GLOBAL_DIRECTIVES),
    }];
    pages.extend(endpoints().map(|kind| Page {
        name: kind.name,
        summary: kind.summary,
        text: reference_page(kind.name, kind.doc, kind.directives),
    }));
    pages.push(Page {
        name: "proxy_protocol",
        summary: "endpoints behind proxies",
        text: reference_page("proxy_protocol", PROXY, proxy::DIRECTIVES),
    });
    pages.push(Page {
        name: "tls_client",
        summary: "TLS towards other servers",
        text: reference_page("tls_client", TLS_CLIENT, tls::client::DIRECTIVES),
    });
    pages.extend(modules().map(page));
    pages
}

fn page(module: &'static Module) -> Page {
    Page {
        name: module.name,
        summary: module.offers.first().map_or("", |offer| offer.noun()),
        text: reference_page(module.name, &intro(module), module.directives),
    }
}

/// What stands above a module's directives.
fn intro(module: &Module) -> String {
    let mut intro = module.doc.to_owned();
    for offer in module.offers {
        let within = module.name.strip_prefix(offer.namespace());
        let name = within.map_or(module.name, |name| name.trim_start_matches('.'));
        let line = format!("{name} {}", module.arguments);
        let _ = write!(
            intro,
            "\n\nUsed as {}; in place: `{}`.",
            offer.noun(),
            line.trim_end()
        );
    }
    if !module.aliases.is_empty() {
        let _ = write!(intro, "\n\nAlso called: `{}`.", module.aliases.join("`, `"));
    }
    intro
}

/// Where the index begins: the pages that no table gives.
const BY_HAND: &str = "# Reference\n\n\
    - [Configuration syntax](syntax.md)\n\
    - [Extensions of IMAP](extensions.md)\n";

fn index(pages: &[Page]) -> String {
    let mut index = String::from(BY_HAND);
    for Page { name, summary, .. } in pages {
        let _ = writeln!(index, "- [`{name}`]({name}.md): {summary}");
    }
    index
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// What is committed is what the tables give, and there is nothing else but what was written by
    /// hand. If this fails, run `cargo run -- docs docs/reference` in the workspace's root.
    #[test]
    fn the_reference_is_what_the_tables_give() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
        let files = files();
        for (name, text) in &files {
            let committed = std::fs::read_to_string(directory.join(name)).unwrap_or_default();
            assert!(
                committed == *text,
                "docs/reference/{name} is not up to date"
            );
        }
        let mut known: BTreeSet<_> = files.into_iter().map(|(name, _)| name).collect();
        known.extend(["syntax.md".to_owned(), "extensions.md".to_owned()]);
        for entry in std::fs::read_dir(directory).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(
                known.contains(&name),
                "docs/reference/{name} is about nothing"
            );
        }
    }

    /// Each extension has its row in `extensions.md`, with its RFC, and no row is about one that is not there.
    #[test]
    fn the_table_of_extensions_has_them_all() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/extensions.md");
        let text = std::fs::read_to_string(path).unwrap();
        let told: BTreeSet<_> = text
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix("| ")?.split(" | ");
                Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
            })
            .collect();
        let known = pillarbox_proto::imap::capability::EXTENSIONS.iter();
        let known: BTreeSet<(String, u32)> = known.map(|e| (e.name.to_owned(), e.rfc)).collect();
        assert_eq!(told, known);
    }
}
