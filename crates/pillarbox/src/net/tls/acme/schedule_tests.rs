//! An authority and a clock that do as they are told.

use std::time::UNIX_EPOCH;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn day(n: u32) -> SystemTime {
    UNIX_EPOCH + DAY * 20_000 + DAY * n
}

fn validity(from: SystemTime, life: Duration) -> Validity {
    Validity {
        not_before: from,
        not_after: from + life,
    }
}

/// A schedule with a certificate of 90 days from day 0.
fn with_certificate() -> Schedule {
    let mut schedule = Schedule::new(true);
    schedule.adopt(validity(day(0), DAY * 90), day(0), 0.5);
    schedule
}

#[test]
fn the_first_certificate_is_ordered_at_once() {
    assert_eq!(Schedule::new(true).next(day(0)), Step::Order(Ca::Real));
}

#[test]
fn without_advice_it_is_renewed_when_two_thirds_are_over() {
    let mut schedule = with_certificate();
    assert_eq!(schedule.next(day(0)), Step::AskInfo);
    schedule.uninformed(day(0));
    assert_eq!(schedule.next(day(0)), Step::Wait(day(0) + INFO_PAUSE));
    schedule.uninformed(day(59) + HOUR * 20);
    assert_eq!(schedule.next(day(59) + HOUR * 21), Step::Wait(day(60)));
    assert_eq!(schedule.next(day(60)), Step::Order(Ca::Real));
}

#[test]
fn a_six_day_certificate_is_renewed_after_four() {
    let mut schedule = Schedule::new(false);
    schedule.adopt(validity(day(0), DAY * 6), day(0), 0.1);
    schedule.uninformed(day(3) + HOUR * 22);
    assert_eq!(schedule.next(day(3) + HOUR * 23), Step::Wait(day(4)));
    assert_eq!(schedule.next(day(4)), Step::Order(Ca::Real));
}

/// RFC 9773 §4.2: a uniformly random time within the window, at once if it is over.
#[test]
fn the_authority_chooses_the_window_and_chance_the_moment() {
    let mut schedule = with_certificate();
    let window = Window {
        start: day(40),
        end: day(42),
    };
    schedule.informed(window, DAY, day(0));
    for asked in 1..41 {
        assert_eq!(schedule.next(day(asked)), Step::AskInfo);
        schedule.informed(window, DAY, day(asked));
    }
    assert_eq!(schedule.next(day(40) + HOUR), Step::Wait(day(41)));
    assert_eq!(schedule.next(day(41)), Step::Order(Ca::Real));
    // A revocation is coming: everybody must hurry.
    let past = Window {
        start: day(9),
        end: day(10),
    };
    schedule.informed(past, HOUR, day(11));
    assert_eq!(schedule.next(day(11)), Step::Order(Ca::Real));
}

/// RFC 9773 §4.3.2.
#[test]
fn how_often_the_authority_is_asked_has_bounds() {
    let mut schedule = with_certificate();
    let window = Window {
        start: day(60),
        end: day(62),
    };
    schedule.informed(window, Duration::ZERO, day(0));
    assert_eq!(schedule.next(day(0)), Step::Wait(day(0) + MINUTE));
    schedule.informed(window, DAY * 400, day(0));
    assert_eq!(schedule.next(day(0)), Step::Wait(day(1)));
}

#[test]
fn windows_that_make_no_sense_are_not_believed() {
    let mut schedule = with_certificate();
    let backwards = Window {
        start: day(20),
        end: day(10),
    };
    schedule.informed(backwards, DAY, day(59));
    assert_eq!(schedule.next(day(59)), Step::Wait(day(60)));
    let late = Window {
        start: day(89),
        end: day(300),
    };
    schedule.informed(late, DAY, day(80) + HOUR);
    assert_eq!(schedule.next(day(80) + HOUR), Step::Wait(day(81)));
    assert_eq!(schedule.next(day(81)), Step::Order(Ca::Real));
}

#[test]
fn an_expired_certificate_is_ordered_anew_without_asking() {
    let schedule = with_certificate();
    assert_eq!(schedule.next(day(91)), Step::Order(Ca::Real));
}

#[test]
fn pauses_grow_to_six_hours_and_are_never_all_alike() {
    let mut schedule = Schedule::new(false);
    let mut now = day(0);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(schedule.next(now), Step::Order(Ca::Real));
        schedule.failed(Failure::Unreachable, now, 0.5);
        let Step::Wait(until) = schedule.next(now) else {
            panic!("it does not wait");
        };
        pauses.push(until.duration_since(now).unwrap());
        now = until;
    }
    let expected = [1, 3, 9, 27, 81, 243, 360, 360].map(|minutes| MINUTE * minutes);
    assert_eq!(pauses, expected);
    let mut least = Schedule::new(false);
    least.failed(Failure::Unreachable, day(0), 0.0);
    assert_eq!(least.retry_at(), Some(day(0) + MINUTE.mul_f64(0.75)));
}

#[test]
fn an_authority_that_says_when_to_come_back_is_heard_within_reason() {
    let mut schedule = Schedule::new(false);
    schedule.failed(Failure::Refused(Some(HOUR * 3)), day(0), 0.5);
    assert_eq!(schedule.next(day(0)), Step::Wait(day(0) + HOUR * 3));
    schedule.failed(Failure::Refused(Some(DAY * 900)), day(0), 0.5);
    assert_eq!(schedule.next(day(0)), Step::Wait(day(1)));
}

#[test]
fn after_a_refusal_comes_a_rehearsal_and_then_the_real_one_at_once() {
    let mut schedule = with_certificate();
    let now = day(60);
    schedule.failed(Failure::Refused(None), now, 0.5);
    assert_eq!(schedule.next(now), Step::Wait(now + MINUTE));
    let now = now + MINUTE;
    assert_eq!(schedule.next(now), Step::Order(Ca::Test));
    schedule.failed(Failure::Refused(None), now, 0.5);
    let now = now + MINUTE * 3;
    assert_eq!(schedule.next(now), Step::Order(Ca::Test));
    schedule.rehearsed();
    assert_eq!(schedule.next(now), Step::Order(Ca::Real));
    // The pauses go on where they were, and long ones need no rehearsal.
    schedule.failed(Failure::Refused(None), now, 0.5);
    assert_eq!(schedule.next(now), Step::Wait(now + MINUTE * 9));
    for _ in 0..3 {
        schedule.failed(Failure::Refused(None), now, 0.5);
    }
    assert_eq!(schedule.next(now + HOUR * 5), Step::Order(Ca::Real));
    schedule.adopt(validity(now, DAY * 90), now, 0.5);
    assert_eq!(schedule.next(now), Step::AskInfo);
    assert_eq!(schedule.retry_at(), None);
}

#[test]
fn a_test_authority_that_is_away_keeps_nobody_from_the_real_one() {
    let mut schedule = Schedule::new(true);
    schedule.failed(Failure::Refused(None), day(0), 0.5);
    schedule.failed(Failure::Unreachable, day(1), 0.5);
    assert_eq!(schedule.next(day(2)), Step::Order(Ca::Real));
}

/// A year with an authority that fails four times out of five, and at times for days.
#[test]
fn no_certificate_ever_expires_while_the_authority_works_now_and_then() {
    let mut dice: u32 = 1;
    let mut roll = || {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(dice >> 8) / f64::from(1 << 24)
    };
    let mut schedule = Schedule::new(true);
    let (mut now, mut valid_until, mut orders) = (day(0), None, 0);
    while now < day(365) {
        match schedule.next(now) {
            Step::Wait(until) => {
                assert!(until > now, "it would spin");
                now = until;
            }
            Step::AskInfo if roll() < 0.5 => schedule.uninformed(now),
            Step::AskInfo => {
                let end: SystemTime = valid_until.unwrap();
                let window = Window {
                    start: end - DAY * 30,
                    end: end - DAY * 28,
                };
                schedule.informed(window, HOUR * 6, now);
            }
            Step::Order(ca) => {
                orders += 1;
                now += MINUTE;
                let away = (100..110).any(|n| now > day(n) && now < day(n + 1));
                match roll() {
                    _ if away => schedule.failed(Failure::Unreachable, now, roll()),
                    luck if luck < 0.8 => schedule.failed(Failure::Refused(None), now, roll()),
                    _ if ca == Ca::Test => schedule.rehearsed(),
                    _ => {
                        valid_until = Some(now + DAY * 90);
                        schedule.adopt(validity(now, DAY * 90), now, roll());
                    }
                }
            }
        }
        assert!(valid_until.is_none_or(|end| now < end), "expired");
    }
    assert!(orders < 200, "{orders} orders in a year");
}
