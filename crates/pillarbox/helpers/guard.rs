//! What helper programs have in common: how they protect themselves from whoever runs them.
//!
//! A helper may have more rights than its caller. So it takes no arguments and no environment, reads
//! one question of bounded length, answers with one line, and ends.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::{env, fs};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::alarm;
use pillarbox_proto::helper::{Answer, QUESTION_BYTES, Question};
use zeroize::Zeroizing;

/// Bytes of memory. Hashes are made to need some; a module that leaks ends here.
const MEMORY: u64 = 1 << 30;
/// Seconds until a helper that nobody waits for any more is ended, whatever it does.
const LIFETIME: u32 = 120;
/// What the program ends with if it was called in a wrong way (`EX_USAGE` of sysexits.h).
const MISUSED: u8 = 64;

/// Runs a helper: reads the question, and writes what `answer` makes of it.
pub(crate) fn run(about: &str, answer: impl FnOnce(Question<'_>) -> Answer) -> ExitCode {
    if env::args_os().len() > 1 || io::stdin().is_terminal() {
        eprintln!("{about} It is run by pillarbox, which asks it on standard input.");
        return ExitCode::from(MISUSED);
    }
    let answer = match prepare().and_then(|()| read()) {
        Ok(bytes) => match Question::parse(&bytes) {
            Some(question) => answer(question),
            None => Answer::Failed("the helper was asked something strange".to_owned()),
        },
        Err(error) => Answer::Failed(format!("the helper could not start: {error}")),
    };
    // Whoever does not hear a yes has not been told one.
    match io::stdout().write_all(answer.to_string().as_bytes()) {
        Ok(()) => ExitCode::from(answer.exit_status()),
        Err(_) => ExitCode::from(2),
    }
}

/// Leaves behind what the caller could have set up.
fn prepare() -> io::Result<()> {
    if env::vars_os().next().is_some() {
        return Err(without_environment());
    }
    alarm::set(LIFETIME);
    umask(Mode::from_bits_truncate(0o077));
    env::set_current_dir("/")?;
    // No core is left behind with a password in it.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, most) = getrlimit(Resource::RLIMIT_AS)?;
    let memory = MEMORY.min(most);
    Ok(setrlimit(Resource::RLIMIT_AS, memory, memory)?)
}

/// Starts this program again without an environment. Comes back if that fails.
///
/// The kernel knows the program by this name, whatever its path means by now.
fn without_environment() -> io::Error {
    let name: OsString = fs::read_link("/proc/self/exe")
        .unwrap_or_default()
        .into_os_string();
    Command::new("/proc/self/exe").arg0(name).env_clear().exec()
}

fn read() -> io::Result<Zeroizing<Vec<u8>>> {
    // Made at its full length at once, so that no copy of the password stays behind.
    let most = QUESTION_BYTES + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    io::stdin()
        .lock()
        .take(most as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
