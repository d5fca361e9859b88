//! The table of commands: what is legal when, and what may be told meanwhile.

use super::command::{Command, List};

/// Where a connection is (RFC 3501 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Before login.
    NotAuthenticated,
    /// A user, without a mailbox.
    Authenticated,
    /// With a mailbox.
    Selected,
}

/// The states in which a command is legal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum States {
    /// Everywhere (RFC 3501 §6.1).
    Any,
    /// Before login only (§6.2).
    NotAuthenticated,
    /// After login (§6.3), a mailbox selected or not.
    Authenticated,
    /// With a mailbox only (§6.4).
    Selected,
}

/// What holds for a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// As RFCs spell it; also the label of its metrics.
    pub name: &'static str,
    /// Where it is legal.
    pub states: States,
    /// It carries a password, and is refused where LOGINDISABLED is announced (RFC 3501 §6.2.3).
    pub carries_secret: bool,
    /// EXISTS and others' flag changes may be told before it ends. Not where the mailbox is just
    /// left or entered: what had piled up is dropped with the view.
    pub changes_allowed: bool,
    /// EXPUNGE and VANISHED may be told before it ends (RFC 3501 §7.4.1, RFC 7162 §3.2.10.2).
    pub expunge_allowed: bool,
    /// It removes messages. Which ones, the client must hear, whatever NOTIFY said (RFC 5465 §5).
    pub removes: bool,
    /// Bytes that came after it must not be read as commands before it has ended: its end changes
    /// what they mean.
    pub barrier: bool,
}

impl Rules {
    const fn new(name: &'static str, states: States) -> Self {
        Self {
            name,
            states,
            carries_secret: false,
            changes_allowed: true,
            expunge_allowed: true,
            removes: false,
            barrier: false,
        }
    }

    /// Nothing of the mailbox is told.
    const fn silent(self) -> Self {
        Self {
            changes_allowed: false,
            expunge_allowed: false,
            ..self
        }
    }

    /// Sequence numbers stay as they are, since the client uses them meanwhile.
    const fn steady(self) -> Self {
        Self {
            expunge_allowed: false,
            ..self
        }
    }

    const fn removes(self) -> Self {
        Self {
            removes: true,
            ..self
        }
    }

    const fn barrier(self) -> Self {
        Self {
            barrier: true,
            ..self
        }
    }

    const fn secret(self) -> Self {
        Self {
            carries_secret: true,
            ..self
        }
    }

    /// Whether it is legal there.
    #[must_use]
    pub const fn allowed_in(&self, state: State) -> bool {
        self.objection(state).is_none()
    }

    /// For BAD's text: why it is not legal there, if it is not.
    #[must_use]
    pub const fn objection(&self, state: State) -> Option<&'static str> {
        match (self.states, state) {
            (States::NotAuthenticated, State::Authenticated | State::Selected) => {
                Some("Already logged in")
            }
            (States::Authenticated | States::Selected, State::NotAuthenticated) => {
                Some("Log in first")
            }
            (States::Selected, State::Authenticated) => Some("Select a mailbox first"),
            _ => None,
        }
    }
}

macro_rules! table {
    ($($row:ident = $rules:expr;)*) => {
        $(static $row: Rules = $rules;)*
        /// All rows.
        pub static TABLE: &[&Rules] = &[$(&$row),*];
    };
}

table! {
    CAPABILITY = Rules::new("CAPABILITY", States::Any);
    NOOP = Rules::new("NOOP", States::Any);
    LOGOUT = Rules::new("LOGOUT", States::Any).silent().barrier();
    ID = Rules::new("ID", States::Any);
    LANGUAGE = Rules::new("LANGUAGE", States::Any);

    STARTTLS = Rules::new("STARTTLS", States::NotAuthenticated).silent().barrier();
    AUTHENTICATE = Rules::new("AUTHENTICATE", States::NotAuthenticated).silent().secret().barrier();
    LOGIN = Rules::new("LOGIN", States::NotAuthenticated).silent().secret().barrier();

    ENABLE = Rules::new("ENABLE", States::Authenticated);
    SELECT = Rules::new("SELECT", States::Authenticated).silent();
    EXAMINE = Rules::new("EXAMINE", States::Authenticated).silent();
    CREATE = Rules::new("CREATE", States::Authenticated);
    DELETE = Rules::new("DELETE", States::Authenticated);
    RENAME = Rules::new("RENAME", States::Authenticated);
    SUBSCRIBE = Rules::new("SUBSCRIBE", States::Authenticated);
    UNSUBSCRIBE = Rules::new("UNSUBSCRIBE", States::Authenticated);
    LIST = Rules::new("LIST", States::Authenticated);
    XLIST = Rules::new("XLIST", States::Authenticated);
    LSUB = Rules::new("LSUB", States::Authenticated);
    NAMESPACE = Rules::new("NAMESPACE", States::Authenticated);
    COMPARATOR = Rules::new("COMPARATOR", States::Authenticated);
    STATUS = Rules::new("STATUS", States::Authenticated);
    GETMETADATA = Rules::new("GETMETADATA", States::Authenticated);
    SETMETADATA = Rules::new("SETMETADATA", States::Authenticated);
    GETQUOTA = Rules::new("GETQUOTA", States::Authenticated);
    GETQUOTAROOT = Rules::new("GETQUOTAROOT", States::Authenticated);
    SETQUOTA = Rules::new("SETQUOTA", States::Authenticated);
    SETACL = Rules::new("SETACL", States::Authenticated);
    DELETEACL = Rules::new("DELETEACL", States::Authenticated);
    GETACL = Rules::new("GETACL", States::Authenticated);
    LISTRIGHTS = Rules::new("LISTRIGHTS", States::Authenticated);
    MYRIGHTS = Rules::new("MYRIGHTS", States::Authenticated);
    APPEND = Rules::new("APPEND", States::Authenticated);
    NOTIFY = Rules::new("NOTIFY", States::Authenticated);
    ESEARCH = Rules::new("ESEARCH", States::Authenticated);
    ESEARCH_NUMBERS = Rules::new("ESEARCH", States::Authenticated).steady();
    COMPRESS = Rules::new("COMPRESS", States::Authenticated).silent().barrier();
    UNAUTHENTICATE = Rules::new("UNAUTHENTICATE", States::Authenticated).silent().barrier();
    IDLE = Rules::new("IDLE", States::Authenticated).barrier();

    CHECK = Rules::new("CHECK", States::Selected);
    CLOSE = Rules::new("CLOSE", States::Selected).silent();
    UNSELECT = Rules::new("UNSELECT", States::Selected).silent();
    EXPUNGE = Rules::new("EXPUNGE", States::Selected).removes();
    UID_EXPUNGE = Rules::new("UID EXPUNGE", States::Selected).removes();
    SEARCH = Rules::new("SEARCH", States::Selected).steady();
    UID_SEARCH = Rules::new("UID SEARCH", States::Selected);
    UID_SEARCH_NUMBERS = Rules::new("UID SEARCH", States::Selected).steady();
    SORT = Rules::new("SORT", States::Selected).steady();
    UID_SORT = Rules::new("UID SORT", States::Selected);
    UID_SORT_NUMBERS = Rules::new("UID SORT", States::Selected).steady();
    THREAD = Rules::new("THREAD", States::Selected).steady();
    UID_THREAD = Rules::new("UID THREAD", States::Selected);
    UID_THREAD_NUMBERS = Rules::new("UID THREAD", States::Selected).steady();
    CANCELUPDATE = Rules::new("CANCELUPDATE", States::Selected);
    UIDBATCHES = Rules::new("UIDBATCHES", States::Selected);
    FETCH = Rules::new("FETCH", States::Selected).steady();
    UID_FETCH = Rules::new("UID FETCH", States::Selected);
    STORE = Rules::new("STORE", States::Selected).steady();
    UID_STORE = Rules::new("UID STORE", States::Selected);
    REPLACE = Rules::new("REPLACE", States::Selected);
    UID_REPLACE = Rules::new("UID REPLACE", States::Selected);
    COPY = Rules::new("COPY", States::Selected);
    UID_COPY = Rules::new("UID COPY", States::Selected);
    MOVE = Rules::new("MOVE", States::Selected).removes();
    UID_MOVE = Rules::new("UID MOVE", States::Selected).removes();
}

/// The row of a command.
#[must_use]
pub fn rules(command: &Command<'_>) -> &'static Rules {
    match command {
        Command::Capability => &CAPABILITY,
        Command::Noop => &NOOP,
        Command::Logout => &LOGOUT,
        Command::Id(_) => &ID,
        Command::Language(_) => &LANGUAGE,
        Command::StartTls => &STARTTLS,
        Command::Authenticate { .. } => &AUTHENTICATE,
        Command::Login { .. } => &LOGIN,
        Command::Enable(_) => &ENABLE,
        Command::Select {
            read_only: false, ..
        } => &SELECT,
        Command::Select {
            read_only: true, ..
        } => &EXAMINE,
        Command::Create { .. } => &CREATE,
        Command::Delete(_) => &DELETE,
        Command::Rename { .. } => &RENAME,
        Command::Subscribe(_) => &SUBSCRIBE,
        Command::Unsubscribe(_) => &UNSUBSCRIBE,
        Command::List(List { xlist: true, .. }) => &XLIST,
        Command::List(_) => &LIST,
        Command::Lsub { .. } => &LSUB,
        Command::Namespace => &NAMESPACE,
        Command::Comparator(_) => &COMPARATOR,
        Command::Status { .. } => &STATUS,
        Command::GetMetadata(_) => &GETMETADATA,
        Command::SetMetadata { .. } => &SETMETADATA,
        Command::GetQuota(_) => &GETQUOTA,
        Command::GetQuotaRoot(_) => &GETQUOTAROOT,
        Command::SetQuota { .. } => &SETQUOTA,
        Command::SetAcl { .. } => &SETACL,
        Command::DeleteAcl { .. } => &DELETEACL,
        Command::GetAcl(_) => &GETACL,
        Command::ListRights { .. } => &LISTRIGHTS,
        Command::MyRights(_) => &MYRIGHTS,
        Command::Append { .. } => &APPEND,
        Command::Notify(_) => &NOTIFY,
        Command::Esearch { search, .. } if search.key.has_numbers() => &ESEARCH_NUMBERS,
        Command::Esearch { .. } => &ESEARCH,
        Command::Replace { uid: false, .. } => &REPLACE,
        Command::Replace { uid: true, .. } => &UID_REPLACE,
        Command::Compress(_) => &COMPRESS,
        Command::Unauthenticate => &UNAUTHENTICATE,
        Command::Idle => &IDLE,
        Command::Check => &CHECK,
        Command::Close => &CLOSE,
        Command::Unselect => &UNSELECT,
        Command::Expunge(None) => &EXPUNGE,
        Command::Expunge(Some(_)) => &UID_EXPUNGE,
        Command::Search { uid: false, .. } => &SEARCH,
        // RFC 7162 §3.2.10.2: its numbers must mean what they meant when it was sent.
        Command::Search { uid: true, search } if search.key.has_numbers() => &UID_SEARCH_NUMBERS,
        Command::Search { uid: true, .. } => &UID_SEARCH,
        Command::Sort { uid: false, .. } => &SORT,
        Command::Sort { search, .. } if search.key.has_numbers() => &UID_SORT_NUMBERS,
        Command::Sort { .. } => &UID_SORT,
        Command::Thread { uid: false, .. } => &THREAD,
        Command::Thread { search, .. } if search.key.has_numbers() => &UID_THREAD_NUMBERS,
        Command::Thread { .. } => &UID_THREAD,
        Command::CancelUpdate(_) => &CANCELUPDATE,
        Command::UidBatches { .. } => &UIDBATCHES,
        Command::Fetch { uid: false, .. } => &FETCH,
        Command::Fetch { uid: true, .. } => &UID_FETCH,
        Command::Store { uid: false, .. } => &STORE,
        Command::Store { uid: true, .. } => &UID_STORE,
        Command::Copy {
            uid: false,
            remove: false,
            ..
        } => &COPY,
        Command::Copy {
            uid: true,
            remove: false,
            ..
        } => &UID_COPY,
        Command::Copy {
            uid: false,
            remove: true,
            ..
        } => &MOVE,
        Command::Copy {
            uid: true,
            remove: true,
            ..
        } => &UID_MOVE,
    }
}
