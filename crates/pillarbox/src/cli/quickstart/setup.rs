//! The first day: certificate, configuration, account, mail.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow, bail};
use aws_lc_rs::rand;
use bytes::Bytes;
use pillarbox_model::{InternalDate, MailboxName};
use pillarbox_store::{Digested, NewBlob, NewMessage};

use super::samples::{SAMPLES, Sample};
use super::{Ports, Trial, USER};
use crate::assemble::{Mode, Options, Server, assemble};
use crate::auth::credentials::Making;
use crate::auth::hash::Hash;
use crate::auth::pass_table::PassTable;
use crate::cli::{Failure, load};
use crate::clock;
use crate::secret::Secret;
use crate::storage::Storage;
use crate::storage::incoming::digested;

/// Some clients believe no certificate that is valid for longer.
const VALIDITY: Duration = Duration::from_secs(825 * 86_400);
/// The clocks of clients may be slow.
const BACKDATED: Duration = Duration::from_secs(3_600);
/// Letters and digits that nobody takes for another: 32, so that each says 5 bits.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 100 bits.
const PASSWORD_CHARS: usize = 20;

/// Makes everything in an empty directory, or in one where this was broken off, and gives the
/// password. The configuration gets its name last: with it, the work is done.
pub(super) fn make(trial: &Trial, ports: Ports) -> Result<String, Failure> {
    let draft = trial.file("pillarbox.conf.new");
    prepare(trial, &draft)?;
    write(&draft, 0o600, &configuration(trial, ports))?;
    certify(trial)?;
    let password = password()?;
    write(&trial.password(), 0o600, &format!("{password}\n"))?;
    let tree = load(&draft).map_err(Failure::Configuration)?;
    let options = Options::new(Mode::Run, crate::storage::engine::open);
    // The runtime ends here, and with it all that has the store open.
    runtime()?.block_on(async {
        let server = assemble(&tree, &options).map_err(Failure::Configuration)?;
        Ok::<_, Failure>(populate(&server, &password).await?)
    })?;
    fs::rename(&draft, trial.configuration()).context("pillarbox.conf")?;
    Ok(password)
}

/// A directory that is ours alone; nobody else's files are mixed with ours.
fn prepare(trial: &Trial, draft: &Path) -> Result<(), anyhow::Error> {
    let directory = &trial.directory;
    let context = || directory.display().to_string();
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(context)?;
    let mut entries = fs::read_dir(directory).with_context(context)?;
    if entries.next().is_some() && !draft.exists() {
        bail!(
            "{}: not empty, and not made by quickstart; name another directory",
            context()
        );
    }
    Ok(())
}

fn configuration(trial: &Trial, ports: Ports) -> String {
    let directory = trial.directory.display().to_string().replace('"', "\\\"");
    include_str!("template.conf")
        .replace("IMAP_PORT", &ports.imap.to_string())
        .replace("IMAPS_PORT", &ports.imaps.to_string())
        .replace("DIRECTORY", &directory)
}

/// A certificate that vouches for itself, under all names that this machine calls itself.
fn certify(trial: &Trial) -> Result<(), anyhow::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = rcgen::CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Pillarbox quickstart");
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + VALIDITY).into();
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let key = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    write(&trial.file("key.pem"), 0o600, &key.serialize_pem())?;
    write(&trial.certificate(), 0o644, &certificate.pem())
}

fn password() -> Result<String, anyhow::Error> {
    let mut random = [0; PASSWORD_CHARS];
    rand::fill(&mut random).map_err(|_| anyhow!("no random numbers"))?;
    let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
    Ok(random.iter().map(letter).collect())
}

/// A file with these permissions, in place of what an attempt before may have left.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), anyhow::Error> {
    let write = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| path.display().to_string())
}

fn runtime() -> Result<tokio::runtime::Runtime, anyhow::Error> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

/// The user, the account and its mail.
async fn populate(server: &Server, password: &str) -> Result<(), anyhow::Error> {
    let (_, credentials) = server.credentials.first().context("no credentials")?;
    let (_, storage) = server.storages.first().context("no storage")?;
    register(credentials, password).await?;
    deliver(storage).await
}

async fn register(credentials: &PassTable, password: &str) -> Result<(), anyhow::Error> {
    // Somebody may be there since an attempt before, with a password that nobody was told.
    credentials.remove(USER).await?;
    let secret = Secret::new(password.as_bytes().to_vec());
    let making = Making {
        hash: Hash::ARGON2,
        ..Making::default()
    };
    credentials.create(USER, secret, making).await?;
    Ok(())
}

async fn deliver(storage: &Arc<Storage>) -> Result<(), anyhow::Error> {
    let store = &storage.store;
    if let Some(unfinished) = store.account(USER).await? {
        store.remove_account(unfinished.id).await?;
    }
    let account = storage.create_account(USER).await?;
    let now = clock::now();
    for sample in SAMPLES {
        let name = MailboxName::from_stored(sample.mailbox);
        let mailbox = store.mailbox(account.id, &name).await?;
        let mailbox = mailbox.with_context(|| format!("no mailbox {}", sample.mailbox))?;
        store.append(mailbox.id, vec![message(sample, now)]).await?;
    }
    Ok(())
}

fn message(sample: &Sample, now: InternalDate) -> NewMessage {
    let bytes = Bytes::from(sample.message());
    let Digested { digest, links } = digested(&bytes);
    NewMessage {
        flags: sample.flags(),
        date: InternalDate::utc(now.unix_seconds - sample.hours_ago * 3_600),
        digest,
        links,
        blob: NewBlob::Memory(bytes),
    }
}
