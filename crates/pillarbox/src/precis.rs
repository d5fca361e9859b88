//! The PRECIS user name profiles (RFC 8264, RFC 8265), over the newest Unicode tables at hand.
//!
//! Libraries of the field stop at an old Unicode version; the rules are short, the tables are
//! those of ICU.

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{
    BidiClass, DefaultIgnorableCodePoint, GeneralCategory as Category, HangulSyllableType,
    JoiningType, NoncharacterCodePoint, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// What a profile does about upper case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// UsernameCaseMapped (RFC 8265 §3.3): upper case becomes lower case.
    Mapped,
    /// UsernameCasePreserved (RFC 8265 §3.4).
    Preserved,
}

/// Why a text is no user name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// RFC 8265 §3.3.2: a user name has at least one character.
    #[error("the name is empty")]
    Empty,
    /// The character is not in the IdentifierClass (RFC 8264 §4.2).
    #[error("character U+{:04X} is not allowed in a name", *.0 as u32)]
    Character(char),
    /// The character is allowed among other characters than these (RFC 5892 appendix A).
    #[error("character U+{:04X} is not allowed at its place", *.0 as u32)]
    Context(char),
    /// Right-to-left and left-to-right are mixed (RFC 5893 §2).
    #[error("the name mixes writing directions")]
    Direction,
    /// Applying the rules again gives another name each time (RFC 8264 §7).
    #[error("the name has no stable form")]
    Unstable,
}

/// How often the rules are applied until the outcome stays the same (RFC 8264 §7: at most three
/// times more).
const ROUNDS: usize = 4;

/// The canonical form of a user name: prepared and enforced (RFC 8265 §3.3 and §3.4).
///
/// # Errors
/// [`Refused`] says which rule the name breaks.
pub fn username(name: &str, case: Case) -> Result<String, Refused> {
    let mut current = enforce(name, case)?;
    for _ in 1..ROUNDS {
        let again = enforce(&current, case)?;
        if again == current {
            return Ok(current);
        }
        current = again;
    }
    Err(Refused::Unstable)
}

/// The rules once, in their order: width, class, case, normalisation, direction.
fn enforce(name: &str, case: Case) -> Result<String, Refused> {
    let narrow = name.chars().map(map_width).collect::<String>();
    check_class(&narrow)?;
    let mapped = match case {
        // Character by character: a sigma at the end stays the same letter wherever it is.
        Case::Mapped => narrow.chars().flat_map(char::to_lowercase).collect(),
        Case::Preserved => narrow,
    };
    let composed = nfc(&mapped);
    check_direction(&composed)?;
    if composed.is_empty() {
        return Err(Refused::Empty);
    }
    Ok(composed)
}

/// Unicode normalisation form C.
#[must_use]
pub fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(text)
        .into_owned()
}

/// Full-width and half-width characters become their ordinary forms (RFC 8265 §3.3.2). They all are
/// U+3000 or in the block U+FF00 to U+FFEF, and stand for one character each.
fn map_width(c: char) -> char {
    if !matches!(c, '\u{3000}' | '\u{FF01}'..='\u{FFEE}') {
        return c;
    }
    let mut form = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(std::iter::once(c));
    match (form.next(), form.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

/// Every character is of the IdentifierClass, and stands where it may (RFC 8264 §8, §9.11 on).
fn check_class(text: &str) -> Result<(), Refused> {
    let chars: Vec<char> = text.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        match class(c) {
            Class::Valid => {}
            Class::Contextual if allowed_here(&chars, at) => {}
            Class::Contextual => return Err(Refused::Context(c)),
            Class::Disallowed => return Err(Refused::Character(c)),
        }
    }
    Ok(())
}

/// What RFC 8264 §8 derives for a character, where UNASSIGNED and ID_DIS are as good as disallowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Valid,
    Contextual,
    Disallowed,
}

/// The derivation of RFC 8264 §8, in its order.
fn class(c: char) -> Class {
    if let Some(exception) = exception(c) {
        return exception;
    }
    if matches!(c, '\u{21}'..='\u{7E}') {
        return Class::Valid;
    }
    if matches!(c, '\u{200C}' | '\u{200D}') {
        return Class::Contextual;
    }
    if is_old_hangul(c) || is_ignorable(c) || has_compatibility_form(c) || !is_letter_or_digit(c) {
        return Class::Disallowed;
    }
    Class::Valid
}

/// RFC 5892 §2.6, which RFC 8264 §9.6 takes over.
fn exception(c: char) -> Option<Class> {
    match c {
        '\u{00DF}' | '\u{03C2}' | '\u{06FD}' | '\u{06FE}' | '\u{0F0B}' | '\u{3007}' => {
            Some(Class::Valid)
        }
        '\u{00B7}'
        | '\u{0375}'
        | '\u{05F3}'
        | '\u{05F4}'
        | '\u{30FB}'
        | '\u{0660}'..='\u{0669}'
        | '\u{06F0}'..='\u{06F9}' => Some(Class::Contextual),
        '\u{0640}'
        | '\u{07FA}'
        | '\u{302E}'
        | '\u{302F}'
        | '\u{3031}'..='\u{3035}'
        | '\u{303B}' => Some(Class::Disallowed),
        _ => None,
    }
}

/// RFC 8264 §9.9: conjoining jamo.
fn is_old_hangul(c: char) -> bool {
    matches!(
        CodePointMapData::<HangulSyllableType>::new().get(c),
        HangulSyllableType::LeadingJamo
            | HangulSyllableType::VowelJamo
            | HangulSyllableType::TrailingJamo
    )
}

/// RFC 8264 §9.13.
fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
}

/// RFC 8264 §9.17: form KC writes it otherwise.
fn has_compatibility_form(c: char) -> bool {
    let mut form = ComposingNormalizerBorrowed::new_nfkc().normalize_iter(std::iter::once(c));
    form.next() != Some(c) || form.next().is_some()
}

/// RFC 8264 §9.1. Whatever else there is (spaces, symbols, punctuation, controls, unassigned) is
/// not for names.
fn is_letter_or_digit(c: char) -> bool {
    matches!(
        CodePointMapData::<Category>::new().get(c),
        Category::UppercaseLetter
            | Category::LowercaseLetter
            | Category::OtherLetter
            | Category::DecimalNumber
            | Category::ModifierLetter
            | Category::NonspacingMark
            | Category::SpacingMark
    )
}

/// The contextual rules of RFC 5892 appendix A.
fn allowed_here(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
    let after = chars.get(at + 1).copied();
    match chars[at] {
        '\u{200C}' => before.is_some_and(is_virama) || joins_both_sides(chars, at),
        '\u{200D}' => before.is_some_and(is_virama),
        '\u{00B7}' => before == Some('l') && after == Some('l'),
        '\u{0375}' => after.is_some_and(|c| script(c) == Script::Greek),
        '\u{05F3}' | '\u{05F4}' => before.is_some_and(|c| script(c) == Script::Hebrew),
        '\u{30FB}' => chars
            .iter()
            .any(|&c| matches!(script(c), Script::Hiragana | Script::Katakana | Script::Han)),
        '\u{0660}'..='\u{0669}' => !chars.iter().any(|c| matches!(c, '\u{06F0}'..='\u{06F9}')),
        '\u{06F0}'..='\u{06F9}' => !chars.iter().any(|c| matches!(c, '\u{0660}'..='\u{0669}')),
        _ => false,
    }
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

fn is_virama(c: char) -> bool {
    CanonicalCombiningClassMapBorrowed::new().get_u8(c) == 9
}

/// RFC 5892 A.1: letters on both sides join over the zero-width non-joiner at `at`.
fn joins_both_sides(chars: &[char], at: usize) -> bool {
    let joining = |c: &char| CodePointMapData::<JoiningType>::new().get(*c);
    let not_transparent = |kind: &JoiningType| *kind != JoiningType::Transparent;
    let left = chars[..at].iter().rev().map(joining).find(not_transparent);
    let right = chars[at + 1..].iter().map(joining).find(not_transparent);
    matches!(
        left,
        Some(JoiningType::LeftJoining | JoiningType::DualJoining)
    ) && matches!(
        right,
        Some(JoiningType::RightJoining | JoiningType::DualJoining)
    )
}

/// The Bidi rule (RFC 5893 §2), which binds names with at least one right-to-left character.
fn check_direction(text: &str) -> Result<(), Refused> {
    let classes: Vec<BidiClass> = text
        .chars()
        .map(|c| CodePointMapData::<BidiClass>::new().get(c))
        .collect();
    let is_rtl =
        |class: &BidiClass| matches!(*class, BidiClass::RightToLeft | BidiClass::ArabicLetter);
    if !classes
        .iter()
        .any(|class| is_rtl(class) || *class == BidiClass::ArabicNumber)
    {
        return Ok(());
    }
    let fits = match classes.first() {
        Some(first) if is_rtl(first) => fits_right_to_left(&classes),
        Some(&BidiClass::LeftToRight) => fits_left_to_right(&classes),
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Refused::Direction)
    }
}

/// Conditions 2 to 4.
fn fits_right_to_left(classes: &[BidiClass]) -> bool {
    use BidiClass as B;
    let allowed = |class: &B| {
        matches!(*class, B::RightToLeft | B::ArabicLetter | B::ArabicNumber) || is_neutral(*class)
    };
    let ends_well = matches!(
        last_but_marks(classes),
        Some(B::RightToLeft | B::ArabicLetter | B::EuropeanNumber | B::ArabicNumber)
    );
    let mixes_digits = classes.contains(&B::EuropeanNumber) && classes.contains(&B::ArabicNumber);
    classes.iter().all(allowed) && ends_well && !mixes_digits
}

/// Conditions 5 and 6.
fn fits_left_to_right(classes: &[BidiClass]) -> bool {
    use BidiClass as B;
    let allowed = |class: &B| *class == B::LeftToRight || is_neutral(*class);
    let ends_well = matches!(
        last_but_marks(classes),
        Some(B::LeftToRight | B::EuropeanNumber)
    );
    classes.iter().all(allowed) && ends_well
}

/// What may stand in names of either direction.
fn is_neutral(class: BidiClass) -> bool {
    use BidiClass as B;
    matches!(
        class,
        B::EuropeanNumber
            | B::EuropeanSeparator
            | B::CommonSeparator
            | B::EuropeanTerminator
            | B::OtherNeutral
            | B::BoundaryNeutral
            | B::NonspacingMark
    )
}

fn last_but_marks(classes: &[BidiClass]) -> Option<BidiClass> {
    let mut from_the_end = classes.iter().rev().copied();
    from_the_end.find(|class| *class != BidiClass::NonspacingMark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(name: &str) -> Result<String, Refused> {
        username(name, Case::Mapped)
    }

    /// The examples of RFC 8265 §3.5.
    #[test]
    fn examples_of_the_standard() {
        let preserved = |name: &str| username(name, Case::Preserved);
        assert_eq!(mapped("juliet@example.com").unwrap(), "juliet@example.com");
        assert_eq!(mapped("fussball").unwrap(), "fussball");
        assert_eq!(mapped("fu\u{DF}ball").unwrap(), "fu\u{DF}ball");
        assert_eq!(mapped("\u{3C0}").unwrap(), "\u{3C0}");
        assert_eq!(mapped("\u{3A3}").unwrap(), "\u{3C3}");
        assert_eq!(preserved("\u{3A3}").unwrap(), "\u{3A3}");
        assert_eq!(mapped("\u{3C3}").unwrap(), "\u{3C3}");
        assert_eq!(mapped("\u{3C2}").unwrap(), "\u{3C2}");
        assert_eq!(mapped("foo bar"), Err(Refused::Character(' ')));
        assert_eq!(mapped(""), Err(Refused::Empty));
        // ROMAN NUMERAL FOUR has a compatibility form; INFINITY and a chess king are symbols.
        assert_eq!(mapped("henry\u{2163}"), Err(Refused::Character('\u{2163}')));
        assert_eq!(mapped("\u{221E}"), Err(Refused::Character('\u{221E}')));
        assert_eq!(mapped("\u{265A}"), Err(Refused::Character('\u{265A}')));
    }

    #[test]
    fn widths_and_compositions_are_one() {
        assert_eq!(mapped("ｕｓｅｒ１").unwrap(), "user1");
        assert_eq!(mapped("ｶ").unwrap(), "カ");
        assert_eq!(mapped("e\u{301}").unwrap(), "\u{E9}");
        assert_eq!(mapped("\u{3000}"), Err(Refused::Character(' ')));
    }

    #[test]
    fn what_nobody_sees_is_refused() {
        for c in [
            '\0',
            '\t',
            '\n',
            '\u{7F}',
            '\u{A0}',
            '\u{AD}',
            '\u{200B}',
            '\u{202E}',
            '\u{FEFF}',
            '\u{FFFE}',
            '\u{E0001}',
            '\u{1100}',
            '\u{378}',
        ] {
            assert_eq!(mapped(&format!("a{c}")), Err(Refused::Character(c)));
        }
    }

    /// RFC 5892 appendix A, a good and a bad place for each.
    #[test]
    fn characters_that_depend_on_their_neighbours() {
        for good in [
            "\u{915}\u{94D}\u{200D}",        // joiner after a virama
            "\u{915}\u{94D}\u{200C}\u{937}", // non-joiner after a virama
            "\u{628}\u{200C}\u{628}",        // non-joiner between joining letters
            "l\u{B7}l",                      // Catalan
            "\u{375}\u{3B1}",                // Greek numeral sign
            "\u{5D0}\u{5F3}",                // Hebrew geresh
            "\u{30AB}\u{30FB}",              // Katakana middle dot
            "\u{628}\u{661}",                // Arabic-Indic digit
        ] {
            assert!(mapped(good).is_ok(), "{good:?}: {:?}", mapped(good));
        }
        for bad in [
            "a\u{200D}",
            "a\u{200C}b",
            "a\u{B7}l",
            "\u{375}a",
            "a\u{5F3}",
            "a\u{30FB}",
            "\u{628}\u{661}\u{6F1}",
        ] {
            assert!(
                matches!(mapped(bad), Err(Refused::Context(_))),
                "{bad:?}: {:?}",
                mapped(bad)
            );
        }
    }

    #[test]
    fn directions_do_not_mix() {
        assert!(mapped("\u{5D0}\u{5D1}").is_ok());
        assert!(mapped("\u{5D0}1").is_ok());
        assert_eq!(mapped("\u{5D0}b"), Err(Refused::Direction));
        assert_eq!(mapped("a\u{5D0}"), Err(Refused::Direction));
        assert_eq!(mapped("1\u{5D0}"), Err(Refused::Direction));
        assert_eq!(mapped("\u{5D0}-"), Err(Refused::Direction));
        assert_eq!(mapped("\u{628}1\u{661}"), Err(Refused::Direction));
    }

    proptest::proptest! {
        /// A name that was enforced is its own form, so a stored name always finds itself.
        #[test]
        fn forms_are_stable(name in "\\PC{0,12}") {
            if let Ok(form) = mapped(&name) {
                proptest::prop_assert_eq!(mapped(&form), Ok(form));
            }
        }
    }
}
