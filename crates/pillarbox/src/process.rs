//! The life of a server process: start, signals, reload, stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pillarbox_config::Errors;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::block_in_place;

use crate::assemble::{self, Mode, Options, Server, assemble};
use crate::cli::admin::Running;
use crate::cli::{self, Context, Failure};
use crate::control::{self, Control};
use crate::housekeeping::keep_house;
use crate::imap::places::Places;
use crate::log::{self, Logger, Sink, TargetError};
use crate::net::Listeners;
use crate::net::listener::{ListenError, Plan};
use crate::net::quota::Quota;
use crate::serve;
use crate::service_manager;
use crate::shutdown::Shutdown;
use crate::storage::Storage;

/// How long sessions may take to say goodbye. The service manager kills after 10 s (see the unit).
const PATIENCE: Duration = Duration::from_secs(5);

/// Descriptors that are kept from connections: databases, segments, logs, listening sockets.
const OWN_FILES: usize = 256;

/// A running server.
pub struct Process {
    settings: Settings,
    /// What outlives a configuration: open engines, failed logins, connections by user.
    options: Options,
    places: Arc<Places>,
    listeners: Listeners,
    /// What commands of the command line work on.
    running: Arc<ArcSwap<Running>>,
    /// Where they are taken. More than one if a reload changed the runtime directory.
    controls: Vec<PathBuf>,
    shutdown: Shutdown,
    signals: Signals,
    log: Logger,
}

/// What the command line said.
struct Settings {
    config: PathBuf,
    debug: bool,
    /// Instead of the configuration's targets, if any.
    log: Vec<String>,
    /// Log files are relative to the directory that the process was started in.
    directory: PathBuf,
}

/// A configuration that was read and can be switched to.
struct Loaded {
    server: Server,
    sink: Sink,
}

/// Why a configuration can't be switched to. The text goes to the log, or to whoever started the
/// process.
enum LoadError {
    Configuration(Errors),
    /// What it says of the log makes no sense.
    Log(TargetError),
    Failed(anyhow::Error),
}

/// What makes the process do something.
struct Signals {
    reopen: Signal,
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

enum Event {
    Reopen,
    Reload,
    Stop,
}

impl Process {
    /// Reads the configuration, opens everything, and listens.
    ///
    /// # Errors
    ///
    /// [`Failure`]; nothing listens then.
    pub async fn start(context: &Context, log: &[String]) -> Result<Self, Failure> {
        let signals = Signals::new().context("can't wait for signals")?;
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let settings = Settings {
            config: context.config.clone(),
            debug: context.debug,
            log: log.to_vec(),
            directory,
        };
        let mut process = Self {
            settings,
            options: Options::new(Mode::Run, crate::storage::engine::open),
            places: Arc::default(),
            listeners: Listeners::new(Quota::new(connection_ceiling())),
            running: Arc::default(),
            controls: Vec::new(),
            shutdown: Shutdown::default(),
            signals,
            log: Logger::new("pillarbox"),
        };
        let loaded = process.load()?;
        process.switch(loaded).await.map_err(Failure::Failed)?;
        let running = Arc::clone(&process.running);
        tokio::spawn(keep_house(running, process.shutdown.signal()));
        service_manager::ready();
        service_manager::keep_watchdog_calm();
        Ok(process)
    }

    /// Serves until it is told to stop, and then until all have left or patience ends.
    ///
    /// # Errors
    ///
    /// None so far; a second signal to stop ends the process with status 1.
    pub async fn run(mut self) -> Result<(), Failure> {
        loop {
            match self.signals.next().await {
                Event::Reopen => log::reopen(),
                Event::Reload => self.reload().await,
                Event::Stop => break,
            }
        }
        service_manager::stopping();
        self.log.info("stopping", &[]);
        self.listeners.close();
        tokio::select! {
            left = self.shutdown.stop(PATIENCE) => {
                if left > 0 {
                    self.log.warn("sessions were cut off", &[("sessions", &left)]);
                }
            }
            () = self.signals.stop() => std::process::exit(1),
        }
        Ok(())
    }

    /// Switches to the configuration as it is now, or says why not and goes on as before.
    async fn reload(&mut self) {
        service_manager::reloading();
        let outcome = match self.load() {
            Ok(loaded) => self.switch(loaded).await,
            Err(LoadError::Configuration(errors)) => Err(anyhow::Error::new(errors)),
            Err(LoadError::Log(error)) => Err(anyhow::Error::new(error)),
            Err(LoadError::Failed(error)) => Err(error),
        };
        match outcome {
            Ok(()) => {
                self.log.info("new configuration was loaded", &[]);
                service_manager::ready();
            }
            Err(error) => {
                self.log
                    .error("failed to load new configuration", &[("reason", &error)]);
                service_manager::reload_failed();
            }
        }
    }

    /// Reads the configuration and makes everything that it describes, without using it.
    fn load(&self) -> Result<Loaded, LoadError> {
        // Files are read and databases opened: no work for a thread that serves sessions.
        block_in_place(|| {
            let tree = cli::load(&self.settings.config)?;
            let globals = assemble::globals(&tree)?;
            let sink = self.sink(&globals.log)?;
            log::bridge_tracing(self.settings.debug || globals.debug);
            let server = assemble(&tree, &self.options)?;
            Ok(Loaded { server, sink })
        })
    }

    fn sink(&self, configured: &[String]) -> Result<Sink, LoadError> {
        let targets = match &self.settings.log[..] {
            [] => configured,
            targets => targets,
        };
        Sink::open(targets, &self.settings.directory).map_err(|error| match error {
            TargetError::None | TargetError::OffIsAlone => LoadError::Log(error),
            TargetError::File { .. } | TargetError::Daemon { .. } => {
                LoadError::Failed(error.into())
            }
        })
    }

    /// Opens the sockets that are new; if that works, serves the new configuration from now on.
    async fn switch(&mut self, loaded: Loaded) -> Result<(), anyhow::Error> {
        // What is said from here on belongs to the new configuration, unless it comes to nothing.
        let before = log::install(loaded.sink);
        let outcome = self.listen(loaded.server).await;
        if outcome.is_err() {
            log::install(before);
        }
        outcome
    }

    async fn listen(&mut self, server: Server) -> Result<(), anyhow::Error> {
        let running = Running::new(&server);
        let control = self.control(&server.globals.runtime_dir)?;
        let acme = server.acme.clone();
        let plan = self.plan(server).await?;
        running.all_storages().for_each(Storage::take_effect);
        self.listeners.switch(plan, &self.shutdown);
        self.options.orders.switch(acme, &self.shutdown);
        self.running.store(Arc::new(running));
        if let Some(control) = control {
            self.controls.push(control.path().to_owned());
            tokio::spawn(control.serve(Arc::clone(&self.running), self.shutdown.signal()));
        }
        Ok(())
    }

    /// The control socket, if it isn't there already.
    fn control(&self, runtime_dir: &Path) -> Result<Option<Control>, anyhow::Error> {
        let path = runtime_dir.join(control::NAME);
        match self.controls.contains(&path) {
            true => Ok(None),
            false => Control::bind(path).map(Some),
        }
    }

    async fn plan(&self, server: Server) -> Result<Plan, ListenError> {
        for warning in &server.warnings {
            self.log.warn("configuration", &[("reason", warning)]);
        }
        let endpoint = |block| serve::endpoint(block, self.settings.debug, &self.places);
        let mut endpoints: Vec<_> = server.endpoints.into_iter().map(endpoint).collect();
        endpoints.extend(self.options.orders.endpoints(&server.acme));
        self.listeners
            .plan(endpoints, &server.globals.runtime_dir)
            .await
    }
}

impl From<Errors> for LoadError {
    fn from(errors: Errors) -> Self {
        Self::Configuration(errors)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Configuration(errors) => Self::Configuration(errors),
            LoadError::Log(error) => Self::Usage(error.to_string()),
            LoadError::Failed(error) => Self::Failed(error),
        }
    }
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            reopen: signal(SignalKind::user_defined1())?,
            reload: signal(SignalKind::user_defined2())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.reopen.recv() => Event::Reopen,
            _ = self.reload.recv() => Event::Reload,
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.hang_up.recv() => Event::Stop,
        }
    }

    async fn stop(&mut self) {
        while !matches!(self.next().await, Event::Stop) {}
    }
}

/// How many connections the limit of open files leaves room for, after it was raised as far as the
/// system allows. A flood of connections must not keep the store from opening its files.
fn connection_ceiling() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return usize::MAX;
    };
    let files = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    files.saturating_sub(OWN_FILES).max(files / 2)
}
