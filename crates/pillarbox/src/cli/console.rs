//! Who a command talks to: the terminal that it was started from, also when it runs in the server.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::task::block_in_place;

use crate::Answer;
use crate::secret::Secret;

/// Bytes that a command takes from its input: messages of servers with large limits, held in
/// memory once.
pub const INPUT_BYTES: usize = 256 * 1024 * 1024;
/// Bytes of an answer to a question. Passwords are short, and so is "yes".
pub const ANSWER_BYTES: usize = 4 * 1024;

/// What a command may do to whoever started it.
pub trait Console: Send {
    /// Writes to the standard output.
    ///
    /// # Errors
    /// Nobody reads any more.
    fn print<'a>(&'a mut self, bytes: &'a [u8]) -> Answer<'a, io::Result<()>>;

    /// Writes a line to the standard error.
    ///
    /// # Errors
    /// Nobody reads any more.
    fn tell<'a>(&'a mut self, line: &'a str) -> Answer<'a, io::Result<()>>;

    /// Asks, and gives the answer without its line end; what is typed is not shown if it is a
    /// secret. At the end of the input the answer is empty.
    ///
    /// # Errors
    /// Nobody answers any more, or at too great a length (see [`ANSWER_BYTES`]).
    fn ask<'a>(&'a mut self, prompt: &'a str, secret: bool) -> Answer<'a, io::Result<Secret>>;

    /// Shows how far something got: a bar on a terminal that goes when all is done, else a line now and
    /// then.
    ///
    /// # Errors
    /// Nobody reads any more.
    fn progress<'a>(&'a mut self, progress: &'a Progress) -> Answer<'a, io::Result<()>>;

    /// All of the standard input.
    ///
    /// # Errors
    /// It can't be read, or has more than [`INPUT_BYTES`].
    fn input(&mut self) -> Answer<'_, io::Result<Bytes>>;
}

/// How far something got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is.
    pub what: String,
    /// Of `total`, in whatever unit.
    pub done: u64,
    /// All of it.
    pub total: u64,
}

impl Progress {
    /// In tenths, rounded down.
    fn tenths(&self) -> u64 {
        match self.total {
            0 => 10,
            total => (u128::from(self.done) * 10 / u128::from(total)) as u64,
        }
    }
}

/// The error for an input that is too large.
pub(crate) fn too_large(what: &str, limit: usize) -> io::Error {
    let text = format!("{what} has more than {limit} bytes");
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

/// The streams of this process.
#[derive(Default)]
pub struct Terminal {
    /// What is shown of something under way.
    bar: Option<ProgressBar>,
    /// The tenths of it that a line was written for.
    told_tenths: u64,
}

impl Terminal {
    /// The bar goes before anything else is written.
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn show(&mut self, progress: &Progress) -> io::Result<()> {
        if progress.done >= progress.total {
            self.told_tenths = 0;
            self.clear();
        } else if io::stderr().is_terminal() {
            let bar = self.bar.get_or_insert_with(|| {
                let style = "{msg} [{bar:30}] {percent} %, {eta} left";
                let style =
                    ProgressStyle::with_template(style).map(|style| style.progress_chars("#>-"));
                ProgressBar::new(progress.total)
                    .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            });
            bar.set_length(progress.total);
            bar.set_message(progress.what.clone());
            bar.set_position(progress.done);
        } else if progress.tenths() > self.told_tenths {
            self.told_tenths = progress.tenths();
            writeln!(
                io::stderr(),
                "{}: {} %",
                progress.what,
                10 * self.told_tenths
            )?;
        }
        Ok(())
    }
}

impl Console for Terminal {
    fn print<'a>(&'a mut self, bytes: &'a [u8]) -> Answer<'a, io::Result<()>> {
        self.clear();
        let mut out = io::stdout().lock();
        let outcome = block_in_place(|| out.write_all(bytes).and_then(|()| out.flush()));
        crate::table::ready(outcome)
    }

    fn tell<'a>(&'a mut self, line: &'a str) -> Answer<'a, io::Result<()>> {
        self.clear();
        crate::table::ready(writeln!(io::stderr(), "{line}"))
    }

    fn ask<'a>(&'a mut self, prompt: &'a str, secret: bool) -> Answer<'a, io::Result<Secret>> {
        self.clear();
        crate::table::ready(block_in_place(|| ask(prompt, secret)))
    }

    fn progress<'a>(&'a mut self, progress: &'a Progress) -> Answer<'a, io::Result<()>> {
        crate::table::ready(self.show(progress))
    }

    fn input(&mut self) -> Answer<'_, io::Result<Bytes>> {
        crate::table::ready(block_in_place(read_all))
    }
}

/// Asks the terminal; without one, a line of the standard input is the answer.
pub(super) fn ask(prompt: &str, secret: bool) -> io::Result<Secret> {
    if secret && io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).map(|text| Secret::new(text.into_bytes()));
    }
    write!(io::stderr(), "{prompt}")?;
    let mut line = Vec::new();
    let mut input = io::stdin().lock().take(ANSWER_BYTES as u64 + 1);
    input.read_until(b'\n', &mut line)?;
    if line.len() > ANSWER_BYTES {
        return Err(too_large("the answer", ANSWER_BYTES));
    }
    let end = line.trim_ascii_end().len();
    let bare = line.strip_suffix(b"\n").unwrap_or(&line);
    let bare = bare.strip_suffix(b"\r").unwrap_or(bare).len();
    line.truncate(if secret { bare } else { end });
    Ok(Secret::new(line))
}

fn read_all() -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    let mut input = io::stdin().lock().take(INPUT_BYTES as u64 + 1);
    input.read_to_end(&mut bytes)?;
    if bytes.len() > INPUT_BYTES {
        return Err(too_large("the input", INPUT_BYTES));
    }
    Ok(bytes.into())
}
