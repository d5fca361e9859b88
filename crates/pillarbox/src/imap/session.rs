//! One connection: a loop of events in, commands done, responses out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_message::Comparator;
use pillarbox_model::{Acl, Identity, ModSeq, NumberSet, Rights, UidValidity, View, limit};
use pillarbox_proto::imap::capability::{Facts, capabilities};
use pillarbox_proto::imap::encode::{self, Code, Dialect, Status};
use pillarbox_proto::imap::frame::{Frame, FrameError, FrameLimits};
use pillarbox_proto::imap::table::{self, State};
use pillarbox_proto::sasl::Mechanism;
use pillarbox_store::{Account, Member, Rows};
use tokio::time::Instant;

use super::context::Contexts;
use super::language::Language;
use super::news::News;
use super::notify::{self, Notify};
use super::places::Place;
use super::upload::Upload;
use super::wire::{Incoming, Input, Offer, Wire};
use super::{Endpoint, Refusal, cmd};
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

/// Who is logged in.
pub(crate) struct User {
    /// Their account.
    pub(crate) account: Account,
    /// Under which identifiers they go in lists of rights.
    pub(crate) identity: Identity,
    /// The place they take among [`limit::Limits::connections_per_user`].
    pub(crate) _place: Place,
}

/// The mailbox a session has selected.
pub(crate) struct Selected {
    pub(crate) member: Member,
    /// What the user may do with it, as this list of rights says.
    pub(crate) rights: Rights,
    pub(crate) acl: Arc<Acl>,
    /// EXAMINE opened it.
    pub(crate) read_only: bool,
    pub(crate) view: View,
    /// Changes up to here were told, expunges aside.
    pub(crate) told: ModSeq,
    /// Expunges up to here were told.
    pub(crate) told_expunges: ModSeq,
    /// No UID above this one was announced, or was in the mailbox when the client was last told of new ones.
    pub(crate) told_uids: u32,
    /// Changes of flags after it are not told to this client, which does not want to hear of them (RFC 5465).
    pub(crate) unheard: Option<ModSeq>,
    /// How many keywords the last FLAGS response named.
    pub(crate) told_keywords: usize,
    /// `$` (RFC 5182), as UIDs.
    pub(crate) saved: NumberSet,
    /// Results that the client follows (RFC 5267 §4.3).
    pub(super) contexts: Option<Box<Contexts>>,
}

impl Selected {
    /// The mailbox as these rows of it are: all is told, and nothing saved. Who looks through a mailbox that is
    /// not selected makes one for that long. Nothing may be changed in it.
    pub(crate) fn new(member: Member, rows: &Rows<'_>, read_only: bool) -> Self {
        let view = View::new(rows.uid_ranges());
        Self::over(member, rows, read_only, view)
    }

    /// As [`Self::new`], with a view of these rows that is made already.
    pub(crate) fn over(member: Member, rows: &Rows<'_>, read_only: bool, view: View) -> Self {
        Self {
            member,
            rights: Rights::READ,
            acl: rows.acl().clone(),
            read_only,
            view,
            told: rows.highest_modseq(),
            told_expunges: rows.highest_modseq(),
            told_uids: rows.uid_next() - 1,
            unheard: None,
            told_keywords: rows.keywords().names().len(),
            saved: NumberSet::new(),
            contexts: None,
        }
    }
}

/// A response code of a command that ended well, with what it needs.
#[derive(Debug, Default)]
pub(crate) enum DoneCode {
    #[default]
    None,
    ReadOnly,
    ReadWrite,
    /// The capabilities as of now, which spares the client a question.
    Capabilities,
    /// Of the mailbox that was made.
    MailboxId(String),
    AppendUid(UidValidity, NumberSet),
    CopyUid(UidValidity, NumberSet, NumberSet),
    /// Up to where the client was told everything, once it is.
    HighestModSeq,
    /// The size of the largest annotation that was left out (RFC 5464 §4.2.1).
    LongEntries(u64),
    /// What a conditional STORE left alone, as the client names messages (RFC 7162 §3.1.3).
    Modified(NumberSet),
}

impl DoneCode {
    /// What is said after messages were removed: with QRESYNC, up to where the client knows all (RFC 7162
    /// §3.2.7, §3.2.9, RFC 6851 §4.4).
    pub(crate) fn after_expunge(session: &Session, removed: bool) -> Self {
        match removed && session.dialect.qresync {
            true => Self::HighestModSeq,
            false => Self::None,
        }
    }
}

/// How a command ended well.
#[derive(Debug, Default)]
pub(crate) struct Completed {
    pub(crate) code: DoneCode,
    /// What the line says; the command's name and "completed" if empty.
    pub(crate) text: &'static str,
    /// The tagged line went out already.
    pub(crate) said: bool,
    /// A change of our own which this client need not be told, since it asked for silence.
    pub(crate) silent: Option<ModSeq>,
}

/// What a handler gives: an end, good or bad, or a broken connection.
pub(crate) type Outcome = Result<Completed, Halt>;

/// Why a handler stopped.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The command is refused.
    Refused(Refusal),
    /// The connection is broken.
    Broken(io::Error),
}

impl<R: Into<Refusal>> From<R> for Halt {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
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
    pub(super) async fn run(mut self) {
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
        let accepted = match self.reach() {
            Ok(reach) => upload.offer(&reach, &prefix, offer.size).await,
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
        let code = match &done.code {
            DoneCode::None => None,
            DoneCode::ReadOnly => Some(Code::ReadOnly),
            DoneCode::ReadWrite => Some(Code::ReadWrite),
            DoneCode::Capabilities => Some(Code::Capability(&capabilities)),
            DoneCode::MailboxId(id) => Some(Code::MailboxId(id)),
            DoneCode::AppendUid(validity, uids) => Some(Code::AppendUid {
                uid_validity: validity.0,
                uids,
            }),
            DoneCode::CopyUid(validity, from, to) => Some(Code::CopyUid {
                uid_validity: validity.0,
                from,
                to,
            }),
            DoneCode::HighestModSeq => {
                let known = self.selected.as_ref().map(Selected::known_modseq);
                known.map(|known| Code::HighestModSeq(known.0))
            }
            DoneCode::LongEntries(size) => Some(Code::MetadataLongEntries(*size)),
            DoneCode::Modified(numbers) => Some(Code::Modified(numbers)),
        };
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

    /// The capability list as of now.
    pub(super) fn capabilities(&self) -> String {
        let mechanisms = self.mechanisms();
        let mechanisms: Vec<_> = mechanisms.into_iter().map(Mechanism::name).collect();
        capabilities(&self.facts(&mechanisms))
    }

    /// Whether an extension is announced to this client.
    pub(super) fn announces(&self, extension: &str) -> bool {
        self.facts(&[]).announces(extension)
    }

    fn facts<'a>(&'a self, mechanisms: &'a [&'a str]) -> Facts<'a> {
        Facts {
            starttls: !self.secure && self.endpoint.tls.is_some(),
            login_disabled: !self.takes_credentials(),
            authenticated: self.user.is_some(),
            mechanisms,
            append_limit: Some(self.append_limit()),
            message_limit: self.endpoint.limits.messages,
            save_limit: self.endpoint.limits.saved_messages,
            withheld: &self.withheld,
        }
    }

    /// Whether credentials are taken on the connection as it is.
    pub(super) fn takes_credentials(&self) -> bool {
        self.secure || self.endpoint.insecure_auth
    }

    /// The SASL mechanisms that may be used now.
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        let Endpoint {
            login, sasl_login, ..
        } = &*self.endpoint;
        match self.takes_credentials() && self.user.is_none() {
            true => login.mechanisms(&self.origin, *sasl_login),
            false => Vec::new(),
        }
    }

    /// From now on the bytes are under TLS. Who asked for a language in clear has to ask again (RFC 5255
    /// §3.1): somebody else may have asked.
    pub(super) fn secured(&mut self, facts: &TlsFacts) {
        self.language = Language::default();
        self.secure = true;
        self.origin = Arc::new(origin(self.origin.peer.clone(), Some(facts)));
    }

    /// The largest message that may be appended, in bytes.
    pub(super) fn append_limit(&self) -> u64 {
        let own = self
            .user
            .as_ref()
            .and_then(|user| user.account.append_limit);
        own.unwrap_or(self.endpoint.storage.append_limit)
    }

    /// Whether the user is an administrator.
    pub(super) fn is_admin(&self) -> bool {
        let name = self.user.as_ref().map(|user| &user.account.name);
        let admins = &self.endpoint.admins;
        name.is_some_and(|name| admins.iter().any(|admin| admin == name))
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

    /// Whoever is logged in. Handlers are only called where the table says that somebody is.
    pub(super) fn user(&self) -> Result<&User, Refusal> {
        self.user
            .as_ref()
            .ok_or(Refusal::State("Not legal before login"))
    }

    /// The selected mailbox. Handlers are only called where the table says that there is one.
    pub(super) fn selected(&mut self) -> Result<&mut Selected, Refusal> {
        self.selected
            .as_mut()
            .ok_or(Refusal::State("No mailbox is selected"))
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
