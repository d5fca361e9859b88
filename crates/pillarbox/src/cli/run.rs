//! `pillarbox run`.

use std::path::PathBuf;
use std::time::Duration;

use super::{Context, Failure};
use crate::process::Process;

/// How long work that is under way at the very end may take.
const LAST_WORK: Duration = Duration::from_secs(2);

/// Runs the server until it is told to stop.
///
/// SIGUSR1 opens log files anew, SIGUSR2 loads the configuration again; SIGTERM, SIGINT and SIGHUP
/// stop the server, a second one at once.
#[derive(clap::Args)]
pub(super) struct Run {
    /// Where to log, whatever the configuration says: stderr, stderr_ts, syslog, journald, off, or
    /// a file
    #[arg(long, value_name = "TARGET", num_args = 1..)]
    log: Vec<String>,
    /// Accepted for compatibility; there are no helper programs
    #[arg(long, value_name = "DIR", hide = true)]
    libexec: Option<PathBuf>,
}

impl Run {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        serve(context, &self.log, || {})
    }
}

/// Runs the server until it is told to stop. `started` is called when it listens; `log` are targets
/// that count instead of the configuration's, if there are any.
pub(super) fn serve(
    context: &Context,
    log: &[String],
    started: impl FnOnce(),
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("pillarbox")
        .build()
        .map_err(anyhow::Error::from)?;
    let outcome = runtime.block_on(async {
        let process = Process::start(context, log).await?;
        started();
        process.run().await
    });
    // Tasks let go of the store, which closes it; work that hangs must not keep the process.
    runtime.shutdown_timeout(LAST_WORK);
    outcome
}
