//! The mailbox that a session has selected, and what its client was told of it.

use std::sync::Arc;

use pillarbox_model::{Acl, ModSeq, NumberSet, Rights, View};
use pillarbox_store::{Member, Rows};

use super::context::Contexts;
use super::{Refusal, Session};

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

impl Session {
    /// The selected mailbox. Handlers are only called where the table says that there is one.
    pub(super) fn selected(&mut self) -> Result<&mut Selected, Refusal> {
        self.selected
            .as_mut()
            .ok_or(Refusal::State("No mailbox is selected"))
    }
}
