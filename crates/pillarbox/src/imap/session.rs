//! One connection: a loop of events in, commands done, responses out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_message::Comparator;
use pillarbox_model::limit;
use pillarbox_proto::imap::encode::{self, Code, Dialect, Status};
use pillarbox_proto::imap::frame::{Frame, FrameError, FrameLimits};
use pillarbox_proto::imap::table::{self, State};
use tokio::time::Instant;

use super::language::Language;
use super::news::News;
use super::notify::{self, Notify};
use super::outcome::{Completed, DoneCode, Halt};
use super::upload::Upload;
use super::wire::{Incoming, Input, Offer, Wire};
use super::{Endpoint, Refusal, Selected, User, cmd};
use crate::auth::login::Origin;
use crate::log::{self, Text};
use crate::net::{Connection, Peer, TlsFacts, quota};
use crate::shutdown::Signal;

/// What a connection knows of itself.
pub(crate) struct Session {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) wire: Wire,
    /// Whether the bytes are under TLS.
    pub(super) secure: bool,
    /// What the connection shows of its other end.
    pub(super) origin: Arc<Origin>,
    pub(super) user: Option<User>,
    pub(super) selected: Option<Selected>,
    pub(super) dialect: Dialect,
    /// What people are spoken to in.
    pub(super) language: Language,
    /// Extensions that this client is not told of, by whatever reason.
    pub(super) withheld: Vec<&'static str>,
    /// Those of them that are withheld from the account.
    pub(super) withheld_from_account: Vec<&'static str>,
    /// Of annotations, if the client wants to hear them.
    pub(super) news: Option<Box<News>>,
    /// How SEARCH, SORT and THREAD compare texts (RFC 5255 §4).
    pub(super) comparator: Comparator,
    /// What NOTIFY asked for, since it was given (RFC 5465).
    pub(super) notify: Option<Box<Notify>>,
    pub(super) login_failures: u32,
    pub(super) shutdown: Signal,
    /// Of the command in progress, or of the last one.
    pub(super) tag: String,
    upload: Option<Upload>,
    /// Where a command stopped that may touch so many messages and no more (RFC 9738).
    pub(super) curbed: Option<u32>,
    bad_commands: u32,
    /// Ends the connection after the current command.
    pub(super) leaving: bool,
    started: Instant,
    _permit: quota::Permit,
}

/// Why the main loop woke up.
enum Wake {
    Input(io::Result<Input>),
    /// There may be something to tell.
    News,
    Stop,
    Timeout,
}

impl Session {
    pub(super) fn new(endpoint: Arc<Endpoint>, connection: Connection) -> Self {
        let mut wire = Wire::new(connection.stream, endpoint.limits.write_timeout);
        if endpoint.io_debug {
            let log = endpoint.log.clone();
            wire.tap = Some(Box::new(move |bytes| {
                log.info("S:", &[("data", &Text(String::from_utf8_lossy(bytes)))]);
            }));
        }
        Self {
            language: Language::default(),
            withheld: endpoint.withheld.for_client(&[]),
            withheld_from_account: Vec::new(),
            endpoint,
            wire,
            secure: connection.tls.is_some(),
            origin: Arc::new(origin(connection.peer, connection.tls.as_ref())),
            user: None,
            selected: None,
            dialect: Dialect::default(),
            news: None,
            comparator: Comparator::default(),
            notify: None,
            login_failures: 0,
            shutdown: connection.shutdown,
            tag: String::new(),
            upload: None,
            curbed: None,
            bad_commands: 0,
            leaving: false,
            started: Instant::now(),
            _permit: connection.permit,
        }
    }

    /// Serves the client until it leaves, breaks off or is put out.
    pub(super) async fn run(&mut self) {
        self.greet();
        if let Err(error) = self.serve().await
            && self.endpoint.io_errors
        {
            let fields: log::Fields<'_> = &[
                ("reason", &Text(error)),
                ("src_ip", &Text(&self.origin.peer)),
            ];
            self.endpoint.log.warn("I/O error", fields);
        }
        self.wire.close().await;
    }

    fn greet(&mut self) {
        let capabilities = self.capabilities();
        let code = Code::Capability(&capabilities);
        encode::untagged(
            &mut self.wire.out,
            Status::Ok,
            Some(&code),
            "Pillarbox is ready",
        );
    }

    async fn serve(&mut self) -> io::Result<()> {
        let mut deadline = self.deadline();
        while !self.leaving {
            if !self.wire.has_unread() {
                self.tell_meanwhile().await?;
                self.wire.flush().await?;
                self.wire.rest();
            }
            match self.wait(deadline).await {
                Wake::Input(input) => {
                    match input? {
                        Input::End => break,
                        Input::Event(event) => Box::pin(self.handle(event)).await?,
                    }
                    deadline = self.deadline();
                }
                Wake::News => {}
                Wake::Stop => self.say_bye(None, "The server is shutting down"),
                Wake::Timeout => self.say_bye(None, "Nothing heard for too long"),
            }
        }
        Ok(())
    }

    /// While the client is silent, and not in the middle of a command, it is told what it asked for.
    async fn tell_meanwhile(&mut self) -> io::Result<()> {
        if self.notify.is_some() && self.wire.framer().is_empty() {
            Box::pin(self.tell_events()).await?;
        }
        Ok(())
    }

    /// Waits for input, for news, for the end of the server, or for patience to run out.
    async fn wait(&mut self, deadline: Instant) -> Wake {
        let news = notify::changed(&mut self.notify);
        tokio::select! {
            biased;
            input = self.wire.next() => Wake::Input(input),
            () = news => Wake::News,
            () = self.shutdown.stopping() => Wake::Stop,
            () = tokio::time::sleep_until(deadline) => Wake::Timeout,
        }
    }

    /// Until when the client must have said something; before login, until when it must be logged in.
    pub(super) fn deadline(&self) -> Instant {
        if self.user.is_some() {
            Instant::now() + self.endpoint.limits.idle_timeout
        } else {
            self.started + self.endpoint.limits.login_timeout
        }
    }

    async fn handle(&mut self, event: Incoming) -> io::Result<()> {
        match event {
            Incoming::Continue => {
                encode::continuation(&mut self.wire.out, "OK");
                self.wire.flush().await?;
            }
            Incoming::Message(offer) => self.offer(offer).await?,
            Incoming::Data => self.take_data().await,
            Incoming::MessageEnd => self.end_message().await,
            Incoming::Command(frame) => self.execute(&frame).await?,
            Incoming::Abandoned(tag) => self.abandon(tag.as_deref()),
            // Only ever expected, and then handled, by the command that asked for a line.
            Incoming::Line(_) => {}
            Incoming::Refused(tag, why) => self.refuse_frame(tag.as_deref(), &why),
            Incoming::Fatal(why) => self.say_bye(None, &why.to_string()),
        }
        Ok(())
    }

    /// A message literal is offered: its size and target are judged before a byte of it is taken.
    async fn offer(&mut self, offer: Offer) -> io::Result<()> {
        let mut upload = self.upload.take().unwrap_or_default();
        let prefix = self.wire.framer().partial().clone();
        upload.judge_replaced(self.replaced_by(&prefix));
        let accepted = match self.source() {
            Ok(source) => upload.offer(&source, &prefix, offer.size).await,
            Err(_) => false,
        };
        self.upload = Some(upload);
        if !accepted {
            let tag = self.wire.framer().partial().tag().map(str::to_owned);
            self.wire.framer().refuse_message();
            if offer.synchronizing {
                self.abandon(tag.as_deref());
            }
            return Ok(());
        }
        self.wire.framer().accept_message();
        if offer.synchronizing {
            encode::continuation(&mut self.wire.out, "Ready for the message");
            self.wire.flush().await?;
        }
        Ok(())
    }

    async fn take_data(&mut self) {
        if let Some(upload) = &mut self.upload {
            upload.write(&self.wire.data).await;
        }
    }

    async fn end_message(&mut self) {
        if let Some(upload) = &mut self.upload {
            upload.end(&*self.endpoint.storage.store).await;
        }
    }

    /// A refused upload's command is over: say why it was refused.
    fn abandon(&mut self, tag: Option<&str>) {
        let Some(refusal) = self.upload.take().and_then(Upload::into_refusal) else {
            return;
        };
        self.conclude(tag.unwrap_or("*"), "APPEND", Err(refusal));
    }

    fn refuse_frame(&mut self, tag: Option<&str>, why: &FrameError) {
        self.upload = None;
        let code = (*why == FrameError::LiteralTooBig).then_some(Code::TooBig);
        let out = &mut self.wire.out;
        encode::tagged(
            out,
            tag.unwrap_or("*"),
            Status::Bad,
            code.as_ref(),
            &why.to_string(),
        );
        self.count_bad();
    }

    /// Does one command and concludes it.
    async fn execute(&mut self, frame: &Frame) -> io::Result<()> {
        self.trace(frame);
        let tagged = match frame.parse() {
            Ok(tagged) => tagged,
            Err(unparsable) => {
                let tag = unparsable.tag.unwrap_or("*");
                let out = &mut self.wire.out;
                encode::tagged(out, tag, Status::Bad, None, &unparsable.message);
                self.upload = None;
                self.count_bad();
                return Ok(());
            }
        };
        let rules = table::rules(&tagged.command);
        if let Some(objection) = rules.objection(self.state()) {
            let refusal = Refusal::State(objection);
            self.upload = None;
            self.conclude(tagged.tag, rules.name, Err(refusal));
            return Ok(());
        }
        self.heed_rights();
        if self.leaving {
            return Ok(());
        }
        let upload = self.upload.take();
        self.tag.clear();
        self.tag.push_str(tagged.tag);
        let outcome = cmd::run(self, tagged.tag, tagged.command, upload).await;
        let ended = match outcome {
            Ok(completed) => Ok(completed),
            Err(Halt::Refused(refusal)) => Err(refusal),
            Err(Halt::Broken(error)) => return Err(error),
        };
        let silent = ended.as_ref().ok().and_then(|done| done.silent);
        if rules.removes {
            self.tell_changes(rules.expunge_allowed, silent).await?;
        } else if rules.changes_allowed {
            self.sync(rules.expunge_allowed, silent).await?;
            self.tell_if_behind();
        }
        if rules.changes_allowed {
            self.tell_news().await?;
        }
        self.conclude(tagged.tag, rules.name, ended);
        self.wire.flush_if_full().await
    }

    /// Writes the tagged line.
    fn conclude(&mut self, tag: &str, name: &str, ended: Result<Completed, Refusal>) {
        match ended {
            Ok(done) if done.said => {}
            Ok(done) => self.complete(tag, name, &done),
            Err(refusal) => {
                if let Some(stopped) = self.message_limit() {
                    self.say_stopped(&stopped);
                }
                let wire = refusal.wire();
                let out = &mut self.wire.out;
                let text = self.language.phrase(&wire.text);
                let wording = self.language.wording(&text);
                encode::tagged(out, tag, wire.status, wire.code.as_ref(), wording);
                self.note(name, &refusal, matches!(wire.status, Status::Bad));
            }
        }
    }

    /// A command stopped before it came to all messages, and says something else at its end.
    fn say_stopped(&mut self, code: &Code<'_>) {
        let out = &mut self.wire.out;
        encode::untagged(
            out,
            Status::No,
            Some(code),
            "Only the newest messages were looked at",
        );
    }

    fn complete(&mut self, tag: &str, name: &str, done: &Completed) {
        let stopped = self.message_limit();
        let capabilities = match done.code {
            DoneCode::Capabilities => self.capabilities(),
            _ => String::new(),
        };
        let known = self.selected.as_ref().map(Selected::known_modseq);
        let code = done.code.as_code(&capabilities, known);
        // Of two codes the tagged line has room for one (RFC 9738 §3.1).
        let code = match (code, stopped) {
            (None, stopped) => stopped,
            (code, None) => code,
            (code, Some(stopped)) => {
                self.say_stopped(&stopped);
                code
            }
        };
        let plain = format!("{name} completed");
        let text = if done.text.is_empty() {
            &plain
        } else {
            done.text
        };
        let text = self.language.phrase(text);
        let wording = self.language.wording(&text);
        encode::tagged(&mut self.wire.out, tag, Status::Ok, code.as_ref(), wording);
    }

    /// Failures of the server are logged; errors of the client are counted.
    fn note(&mut self, name: &str, refusal: &Refusal, clients_fault: bool) {
        if refusal.is_failure() {
            self.endpoint.log.error(
                "command failed",
                &[
                    ("command", &name),
                    ("reason", &Text(refusal)),
                    ("src_ip", &Text(&self.origin.peer)),
                ],
            );
        }
        if clients_fault {
            self.count_bad();
        }
    }

    fn count_bad(&mut self) {
        self.bad_commands += 1;
        let allowed = if self.user.is_some() {
            limit::BAD_COMMANDS
        } else {
            limit::BAD_COMMANDS_BEFORE_LOGIN
        };
        if self.bad_commands >= allowed {
            self.say_bye(None, "Too many bad commands");
        }
    }

    /// Says BYE, and that this was the last thing said.
    pub(super) fn say_bye(&mut self, code: Option<&Code<'_>>, text: &str) {
        let text = self.language.phrase(text);
        encode::bye(&mut self.wire.out, code, self.language.wording(&text));
        self.leaving = true;
    }

    pub(super) fn state(&self) -> State {
        match (&self.user, &self.selected) {
            (None, _) => State::NotAuthenticated,
            (Some(_), None) => State::Authenticated,
            (Some(_), Some(_)) => State::Selected,
        }
    }

    /// From now on the bytes are under TLS. Who asked for a language in clear has to ask again (RFC 5255
    /// §3.1): somebody else may have asked.
    pub(super) fn secured(&mut self, facts: &TlsFacts) {
        self.language = Language::default();
        self.secure = true;
        self.origin = Arc::new(origin(self.origin.peer.clone(), Some(facts)));
    }

    /// From now on the session is somebody's.
    pub(super) fn log_in(&mut self, user: User) {
        self.user = Some(user);
        self.bad_commands = 0;
        self.wire.framer().set_limits(FrameLimits::after_login());
    }

    /// The session is nobody's again: all is as after the greeting, but TLS and what counts against whoever
    /// connected (RFC 8437 §3, §4.1). The user's place is free.
    pub(super) fn log_out(&mut self) {
        self.selected = None;
        self.user = None;
        self.upload = None;
        self.dialect = Dialect::default();
        self.language = Language::default();
        let of_account = std::mem::take(&mut self.withheld_from_account);
        self.withheld.retain(|name| !of_account.contains(name));
        self.comparator = Comparator::default();
        self.news = None;
        self.notify = None;
        self.curbed = None;
        self.started = Instant::now();
        self.wire.framer().set_limits(FrameLimits::before_login());
    }

    fn trace(&self, frame: &Frame) {
        if self.endpoint.io_debug {
            let redacted = frame.redacted();
            self.endpoint.log.info(
                "C:",
                &[
                    ("data", &Text(String::from_utf8_lossy(&redacted))),
                    ("src_ip", &Text(&self.origin.peer)),
                ],
            );
        }
    }
}

fn origin(peer: Peer, tls: Option<&TlsFacts>) -> Origin {
    Origin {
        peer,
        bindings: tls.map(TlsFacts::bindings).unwrap_or_default(),
        certificate_names: tls
            .map(|facts| facts.client_names.clone())
            .unwrap_or_default(),
    }
}

/// How often a client in IDLE hears from us, which keeps address translators awake.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(120);
