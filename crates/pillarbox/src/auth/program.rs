//! Programs that are run for one answer.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// What is read of what a program writes to one of its outputs, in bytes. What comes after that it
/// may write to nobody.
const OUTPUT_BYTES: u64 = 4_096;
/// How long a program that has ended may keep its outputs open, in a process that it left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// How a program ended.
pub(super) struct Outcome {
    pub(super) status: ExitStatus,
    /// The beginning of its standard output.
    pub(super) output: Vec<u8>,
    /// The beginning of its standard error.
    pub(super) complaint: String,
}

/// Runs a program with this standard input, in a process group of its own. What it writes to its
/// standard output is heard if the caller said that it is piped. The group is killed when
/// the program takes longer than `patience`, or when nobody waits for the answer any more.
///
/// # Errors
/// It can't be started, or took too long.
pub(super) async fn run(
    mut program: Command,
    input: &[u8],
    patience: Duration,
) -> Result<Outcome, anyhow::Error> {
    let name = PathBuf::from(program.as_std().get_program());
    let name = name.display();
    let mut child = program
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| name.to_string())?;
    let group = Group::of(&child);
    let outcome = timeout(patience, talk(&mut child, input)).await;
    let outcome = outcome.map_err(|_| anyhow!("{name} took more than {patience:?}"))?;
    group.ended();
    outcome.with_context(|| name.to_string())
}

async fn talk(child: &mut Child, input: &[u8]) -> Result<Outcome, anyhow::Error> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    let mut pipes = Box::pin(async {
        tokio::join!(
            give(stdin, input),
            hear(stdout, &mut output),
            hear(stderr, &mut complaint)
        )
    });
    let mut closed = false;
    let status = loop {
        tokio::select! {
            _ = &mut pipes, if !closed => closed = true,
            status = child.wait() => break status?,
        }
    };
    if !closed {
        // The program has decided, whoever else holds its outputs.
        let _ = timeout(LEFT_BEHIND, &mut pipes).await;
    }
    drop(pipes);
    Ok(Outcome {
        status,
        output,
        complaint: String::from_utf8_lossy(&complaint).trim().to_owned(),
    })
}

/// A program that has decided need not have read all.
async fn give(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input).await;
    }
}

/// Hears the beginning. Closing the pipe after that ends a program that does not stop.
async fn hear(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(from) = from {
        let _ = from.take(OUTPUT_BYTES).read_to_end(into).await;
    }
}

/// A process group, killed unless it is over.
struct Group(Option<Pid>);

impl Group {
    /// The group that a child leads. The child is not yet waited for, so the number is its own.
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.map(Pid::from_raw))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use nix::sys::signal::kill;

    use super::*;
    use crate::testing::now;

    /// One test at a time: a program can't run while its file is open for writing, which it may be
    /// in a child that another test has just forked.
    pub(in crate::auth) fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shell script as a program.
    pub(in crate::auth) fn script(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join("helper");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    /// Nothing here takes long; this only keeps a broken test from waiting for ever.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn outcome(directory: &Path, text: &str, patience: Duration) -> Result<Outcome, anyhow::Error> {
        let mut program = Command::new(script(directory, text));
        program.stdout(Stdio::piped());
        now(run(program, b"said\n", patience))
    }

    #[test]
    fn a_program_is_told_and_heard() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let text = "read -r word; echo \"$word twice\"; echo trouble >&2; exit 3";
        let outcome = outcome(directory.path(), text, PATIENCE).unwrap();
        assert_eq!(outcome.output, b"said twice\n");
        assert_eq!(outcome.complaint, "trouble");
        assert_eq!(outcome.status.code(), Some(3));
    }

    #[test]
    fn a_flood_of_complaints_is_not_kept() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let outcome = outcome(directory.path(), "exec yes >&2", PATIENCE).unwrap();
        assert!(!outcome.status.success());
        assert!(outcome.complaint.len() <= OUTPUT_BYTES as usize);
    }

    #[test]
    fn what_a_program_leaves_behind_is_not_waited_for() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let outcome = outcome(directory.path(), "sleep 3600 & echo $!", PATIENCE).unwrap();
        assert!(outcome.status.success());
        let child = String::from_utf8(outcome.output).unwrap();
        kill(
            Pid::from_raw(child.trim().parse().unwrap()),
            Signal::SIGKILL,
        )
        .unwrap();
    }

    #[test]
    fn who_takes_too_long_is_killed_with_all_children() {
        let _alone = alone();
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("child");
        let text = format!(
            "sleep 3600 & echo $! >{0}.new; mv {0}.new {0}; wait",
            note.display()
        );
        let program = Command::new(script(directory.path(), &text));
        let failed = now(async {
            let run = tokio::spawn(run(program, b"", Duration::from_secs(3600)));
            while !note.exists() {
                tokio::task::yield_now().await;
            }
            run.abort();
            run.await.map(drop)
        });
        assert!(failed.is_err());
        let child = fs::read_to_string(&note).unwrap().trim().parse().unwrap();
        // Until the kernel has got to it, and somebody has taken note of its death.
        while kill(Pid::from_raw(child), None).is_ok() && !is_zombie(child) {
            std::thread::yield_now();
        }
        let slow = outcome(directory.path(), "sleep 3600", Duration::from_millis(1));
        assert!(
            slow.err()
                .unwrap()
                .to_string()
                .contains("took more than 1ms")
        );
    }

    fn is_zombie(id: i32) -> bool {
        fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    }
}
