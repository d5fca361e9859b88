//! "Did you mean": the known name nearest to an unknown one.

/// Names longer than this are not typing errors, and comparing costs the square of it.
const LENGTH: usize = 64;

/// The candidate that `name` most likely stands for: at most a third of its letters differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = folded(name)?;
    let allowed = name.len().div_ceil(3);
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(&name, &folded(candidate)?), candidate)))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters in lower case and `_` for `-`, since that much is not worth a difference.
fn folded(name: &str) -> Option<Vec<char>> {
    let chars = name.chars().flat_map(char::to_lowercase);
    let folded: Vec<char> = chars
        .map(|c| if c == '-' { '_' } else { c })
        .take(LENGTH + 1)
        .collect();
    (folded.len() <= LENGTH).then_some(folded)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(x != y))
                .min(above[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                let two_above: &Vec<usize> = &before;
                best = best.min(two_above[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KNOWN: [&str; 5] = ["storage", "storage_map", "auth", "insecure_auth", "tls"];

    #[test]
    fn slips_find_their_name() {
        for (typed, meant) in [
            ("storag", "storage"),
            ("stroage", "storage"),
            ("Storage-Map", "storage_map"),
            ("atuh", "auth"),
            ("tsl", "tls"),
            ("insecureauth", "insecure_auth"),
        ] {
            assert_eq!(nearest(typed, KNOWN), Some(meant), "{typed}");
        }
    }

    #[test]
    fn other_words_find_nothing() {
        for typed in [
            "",
            "x",
            "hostname",
            "proxy_protocol",
            &"storage".repeat(100),
        ] {
            assert_eq!(nearest(typed, KNOWN), None, "{typed}");
        }
    }
}
