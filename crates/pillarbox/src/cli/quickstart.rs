//! `pillarbox quickstart`: a server to try out, in a directory of its own.

mod samples;
mod setup;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pillarbox_config::{Place, Tree, addresses};

use super::{Context, Failure, load, run};

/// The user that there is.
const USER: &str = "user@localhost";
const IMAP_PORT: u16 = 1143;
const IMAPS_PORT: u16 = 1993;

/// Make a server with an account and some mail in a directory, run it, and say how to connect
///
/// The directory has all of it: configuration, certificate, password, mail. Where there is one
/// already, the server in it is run as it is.
#[derive(clap::Args)]
pub(super) struct Quickstart {
    /// Where all of it is kept
    #[arg(long, value_name = "DIR", default_value = "./pillarbox-data")]
    directory: PathBuf,
    /// The port for IMAP with STARTTLS, at 127.0.0.1 [default: 1143]
    #[arg(long, value_name = "PORT")]
    imap_port: Option<u16>,
    /// The port for IMAP over TLS, at 127.0.0.1 [default: 1993]
    #[arg(long, value_name = "PORT")]
    imaps_port: Option<u16>,
}

/// The server's directory.
struct Trial {
    /// An absolute path.
    directory: PathBuf,
}

/// Where it listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ports {
    imap: u16,
    imaps: u16,
}

/// What the user has to know.
struct Welcome<'a> {
    trial: &'a Trial,
    ports: Ports,
    /// Said once, when it is made.
    password: Option<String>,
}

impl Quickstart {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let directory = std::path::absolute(&self.directory).context("--directory")?;
        let trial = Trial { directory };
        let password = if trial.configuration().exists() {
            None
        } else {
            Some(setup::make(&trial, self.wanted())?)
        };
        let ports = trial.ports()?;
        self.compare(ports, &trial.configuration())?;
        let context = Context {
            config: trial.configuration(),
            ..context.clone()
        };
        let welcome = Welcome {
            trial: &trial,
            ports,
            password,
        };
        run::serve(&context, &[], || println!("{welcome}"))
    }

    fn wanted(&self) -> Ports {
        Ports {
            imap: self.imap_port.unwrap_or(IMAP_PORT),
            imaps: self.imaps_port.unwrap_or(IMAPS_PORT),
        }
    }

    /// Ports are chosen once; after that the configuration says them.
    fn compare(&self, configured: Ports, configuration: &Path) -> Result<(), Failure> {
        let asked = Ports {
            imap: self.imap_port.unwrap_or(configured.imap),
            imaps: self.imaps_port.unwrap_or(configured.imaps),
        };
        if asked == configured {
            return Ok(());
        }
        let (path, Ports { imap, imaps }) = (configuration.display(), configured);
        Err(Failure::Usage(format!(
            "the ports are {imap} and {imaps} already: change them in {path}"
        )))
    }
}

impl Trial {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn configuration(&self) -> PathBuf {
        self.file("pillarbox.conf")
    }

    fn certificate(&self) -> PathBuf {
        self.file("certificate.pem")
    }

    fn password(&self) -> PathBuf {
        self.file("password.txt")
    }

    /// The ports that the configuration says.
    fn ports(&self) -> Result<Ports, Failure> {
        let tree = load(&self.configuration()).map_err(Failure::Configuration)?;
        let port = |tls| {
            let scheme = if tls { "tls" } else { "tcp" };
            let missing = || format!("no imap block with a {scheme}:// address");
            Ok::<_, Failure>(port(&tree, tls).with_context(missing)?)
        };
        Ok(Ports {
            imap: port(false)?,
            imaps: port(true)?,
        })
    }
}

/// The first TCP port of an `imap` block.
fn port(tree: &Tree, tls: bool) -> Option<u16> {
    let blocks = tree.nodes.iter().filter(|node| node.name.text == "imap");
    let mut addresses = blocks.flat_map(|node| addresses(node).unwrap_or_default());
    addresses.find_map(|address| match address.place {
        Place::Tcp { port, .. } if address.tls == tls => Some(port),
        _ => None,
    })
}

impl fmt::Display for Welcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ports { imap, imaps } = self.ports;
        let certificate = self.trial.certificate();
        let (certificate, secret) = (certificate.display(), self.trial.password());
        let secret = secret.display();
        writeln!(
            f,
            "Pillarbox is running from {}\n",
            self.trial.directory.display()
        )?;
        writeln!(f, "  IMAPS     localhost, port {imaps}")?;
        writeln!(f, "  IMAP      localhost, port {imap}, with STARTTLS")?;
        writeln!(f, "  user      {USER}")?;
        match &self.password {
            Some(password) => writeln!(f, "  password  {password}  (kept in {secret})\n")?,
            None => writeln!(f, "  password  in {secret}\n")?,
        }
        writeln!(
            f,
            "Clients have to be told to believe {certificate}. For instance:\n"
        )?;
        writeln!(
            f,
            "  curl --cacert '{certificate}' --user \"{USER}:$(cat '{secret}')\" \
             'imaps://localhost:{imaps}/INBOX;MAILINDEX=1'\n"
        )?;
        write!(
            f,
            "Ctrl-C stops the server; the same command starts it again."
        )
    }
}
