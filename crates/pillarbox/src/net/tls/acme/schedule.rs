//! When to order, ask and wait: decisions without a clock, a network or dice of their own.
//!
//! A certificate is renewed when the authority says so (ARI, RFC 9773), or when two thirds of its
//! life are over if the authority says nothing. What fails is tried again, ever more rarely. After
//! the authority refused, the next attempts are rehearsals with the test authority, whose limits
//! are wider; when one works, the real one is asked again at once.

use std::time::{Duration, SystemTime};

use super::super::validity::Validity;

/// The pause after the first failure; each further one makes it three times as long. Let's Encrypt
/// allows five failed validations an hour, which is what this comes to.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const PAUSE_FACTOR: u32 = 3;
/// The longest pause: four attempts a day, of which some come in time for any certificate.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3_600);
/// From this pause on there is no rehearsal: so rare attempts come near nobody's limits.
const REHEARSAL_PAUSE: Duration = Duration::from_secs(3_600);
/// How long an authority may make us wait when it is asked too often.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(86_400);
/// Bounds on how soon the authority is asked again when to renew (RFC 9773 §4.3.2).
const INFO_INTERVAL: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));
/// When it is asked again after it did not say (RFC 9773 §4.3.3).
const INFO_PAUSE: Duration = Duration::from_secs(6 * 3_600);

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Order a certificate.
    Order(Ca),
    /// Ask when to renew.
    AskInfo,
    /// Nothing before this time.
    Wait(SystemTime),
}

/// Whom to order from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ca {
    /// The one whose certificates clients trust.
    Real,
    /// The one to rehearse with.
    Test,
}

/// Why an order failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The authority can't be reached, or made no sense.
    Unreachable,
    /// It said no, and maybe not to come again before some time has passed.
    Refused(Option<Duration>),
}

/// When the authority wants a certificate to be renewed (RFC 9773 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// From.
    pub(super) start: SystemTime,
    /// To.
    pub(super) end: SystemTime,
}

/// What there is and what went wrong.
pub(super) struct Schedule {
    /// The certificate that is served.
    current: Option<Current>,
    /// Whether there is an authority to rehearse with.
    can_rehearse: bool,
    /// The next order is a rehearsal.
    rehearse: bool,
    /// Orders that failed since the last certificate.
    failures: u32,
    /// No order before that.
    retry_at: Option<SystemTime>,
}

struct Current {
    validity: Validity,
    /// When within a window it is renewed, as a fraction: chosen once, so that asking again moves
    /// nothing.
    chance: f64,
    window: Option<Window>,
    /// When to ask for the window.
    info_at: SystemTime,
}

impl Schedule {
    /// Nothing is there yet.
    pub(super) fn new(can_rehearse: bool) -> Self {
        Self {
            current: None,
            can_rehearse,
            rehearse: false,
            failures: 0,
            retry_at: None,
        }
    }

    /// What to do now.
    pub(super) fn next(&self, now: SystemTime) -> Step {
        let Some(current) = self.current.as_ref().filter(|c| c.renew_at() > now) else {
            return match self.retry_at.filter(|at| *at > now) {
                Some(at) => Step::Wait(at),
                None if self.rehearse => Step::Order(Ca::Test),
                None => Step::Order(Ca::Real),
            };
        };
        match current.info_at <= now {
            true => Step::AskInfo,
            false => Step::Wait(current.renew_at().min(current.info_at)),
        }
    }

    /// A certificate is there: a new one, or one that was stored. `chance` is a random number from
    /// 0 to 1.
    pub(super) fn adopt(&mut self, validity: Validity, now: SystemTime, chance: f64) {
        self.current = Some(Current {
            validity,
            chance,
            window: None,
            info_at: now,
        });
        self.failures = 0;
        self.retry_at = None;
        self.rehearse = false;
    }

    /// The rehearsal went well.
    pub(super) fn rehearsed(&mut self) {
        self.rehearse = false;
        self.retry_at = None;
    }

    /// An order failed.
    pub(super) fn failed(&mut self, failure: Failure, now: SystemTime, chance: f64) {
        let pause = pause(self.failures).mul_f64(0.75 + 0.5 * chance);
        self.failures = self.failures.saturating_add(1);
        let asked = match failure {
            Failure::Refused(asked) => asked.unwrap_or_default().min(LONGEST_RETRY_AFTER),
            Failure::Unreachable => Duration::ZERO,
        };
        self.retry_at = Some(now + pause.max(asked));
        // Whoever can't be reached says nothing about our setup.
        self.rehearse =
            self.can_rehearse && matches!(failure, Failure::Refused(_)) && pause < REHEARSAL_PAUSE;
    }

    /// Somebody else orders at present.
    pub(super) fn busy(&mut self, now: SystemTime) {
        self.retry_at = Some(now + FIRST_PAUSE);
    }

    /// The authority said when to renew, and when to ask again. A window that ends before it begins
    /// is none.
    pub(super) fn informed(&mut self, window: Window, again: Duration, now: SystemTime) {
        if let Some(current) = &mut self.current {
            current.window = Some(window).filter(|window| window.start <= window.end);
            current.info_at = now + again.clamp(INFO_INTERVAL.0, INFO_INTERVAL.1);
        }
    }

    /// The authority did not say when to renew.
    pub(super) fn uninformed(&mut self, now: SystemTime) {
        if let Some(current) = &mut self.current {
            current.info_at = now + INFO_PAUSE;
        }
    }

    /// When the next order may be made after a failure.
    pub(super) fn retry_at(&self) -> Option<SystemTime> {
        self.retry_at
    }
}

impl Current {
    fn renew_at(&self) -> SystemTime {
        let Validity {
            not_before,
            not_after,
        } = self.validity;
        let life = not_after.duration_since(not_before).unwrap_or_default();
        let Some(window) = self.window else {
            return not_after - life / 3;
        };
        let width = window.end.duration_since(window.start).unwrap_or_default();
        let chosen = window.start + width.mul_f64(self.chance);
        // A window that would let it expire is not believed.
        chosen.min(not_after - life / 10)
    }
}

fn pause(failures: u32) -> Duration {
    let factor = PAUSE_FACTOR.saturating_pow(failures);
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
