//! Case folding for search and sort: i;unicode-casemap (RFC 5051).

use icu_normalizer::DecomposingNormalizerBorrowed;

/// The key of a text by which i;unicode-casemap compares (RFC 5051 §2): each character in its simple
/// titlecase form, then fully decomposed (NFKD). Two texts are equal, or one is part of the other,
/// if their keys are.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let title: String = text.chars().map(titlecase).collect();
    DecomposingNormalizerBorrowed::new_nfkd()
        .normalize(&title)
        .into_owned()
}

fn titlecase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}
