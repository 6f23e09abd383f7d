//! The nearest of the names that there are, for somebody who wrote another.

/// The name that is nearest to what was written, if any is near enough to be meant.
#[must_use]
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    names
        .into_iter()
        .map(|name| (distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.len().max(written.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (i, ca) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&above, j) + usize::from(ca != *cb);
            let mut least = replaced.min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            if j > 0 && last_a == Some(*cb) && b.get(j - 1) == Some(&ca) {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
        last_a = Some(ca);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("protocol", "protocols", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("Grüße", "Grusse", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["protocols", "suites", "certificates", "client-auth"];
        assert_eq!(nearest("protocol", names), Some("protocols"));
        assert_eq!(nearest("clientauth", names), Some("client-auth"));
        assert_eq!(nearest("certficates", names), Some("certificates"));
        assert_eq!(nearest("xyzzy", names), None);
    }
}
