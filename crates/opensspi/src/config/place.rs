//! Where a setting stands in the text, for what is found wrong with it only later.

use toml::de::{DeTable, DeValue};

use super::problem::Locator;

/// Line and column of a setting of a package's section, such as `certificates.chain` of `schannel`: of the entry that
/// `message` names where it is a list of several.
pub(crate) fn place_of(text: &str, section: &str, setting: &str, message: &str) -> Option<Place> {
    let (table, _) = DeTable::parse_recoverable(text);
    let path: Vec<&str> = std::iter::once(section).chain(setting.split('.')).collect();
    let top: Vec<&str> = setting.split('.').collect();
    let table = table.get_ref();
    let (offset, is_named) = find(table, &path, message).or_else(|| find(table, &top, message))?;
    let problem = Locator::new(text).problem(offset, &[], String::new());
    Some(Place { line: problem.line, column: problem.column, is_named })
}

/// A place in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// The message names what stands there, so that it is about nothing else.
    pub(crate) is_named: bool,
}

/// Where the value at the end of the path begins, and whether the message names it.
fn find(table: &DeTable<'_>, path: &[&str], message: &str) -> Option<(usize, bool)> {
    let (key, rest) = path.split_first()?;
    let (_, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
    let is_named = |value: &DeValue<'_>| match value {
        DeValue::String(text) => message.contains(&**text),
        DeValue::Integer(number) => message.contains(number.as_str()),
        _ => false,
    };
    match value.get_ref() {
        DeValue::Table(table) => find(table, rest, message),
        DeValue::Array(array) if rest.is_empty() => {
            // Other entries may be named, too, as what was meant: what is wrong stands in quotes, and before them.
            let quoted = |value: &DeValue<'_>| match value {
                DeValue::String(text) => message.find(&format!("{text:?}")),
                _ => None,
            };
            let at = |item: &toml::Spanned<DeValue<'_>>| quoted(item.get_ref());
            let named = array.iter().filter(|item| at(item).is_some()).min_by_key(|item| at(item));
            let named = named.or_else(|| array.iter().find(|item| is_named(item.get_ref())));
            Some(named.map_or((value.span().start, false), |item| (item.span().start, true)))
        }
        DeValue::Array(array) => {
            let tables = array.iter().filter_map(|item| match item.get_ref() {
                DeValue::Table(table) => find(table, rest, message),
                _ => None,
            });
            let all: Vec<_> = tables.collect();
            all.iter().find(|(_, named)| *named).or_else(|| all.first()).copied()
        }
        other => rest.is_empty().then(|| (value.span().start, is_named(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
package = \"Schannel\"
[schannel]
suites = [\"A\", \"B\"]
dh-minimum-bits = 7
[[schannel.certificates]]
chain = \"one.pem\"
[[schannel.certificates]]
chain = \"two.pem\"
";

    #[test]
    fn the_entry_that_is_meant_is_found() {
        let place = |setting, message| {
            place_of(TEXT, "schannel", setting, message).map(|place| (place.line, place.column))
        };
        assert_eq!(place("suites", "there is no \"B\" here, there is A"), Some((3, 16)));
        assert_eq!(place("suites", "there is no \"B\"; did you mean \"A\"?"), Some((3, 16)));
        assert_eq!(place("suites", "nothing"), Some((3, 10)));
        assert_eq!(place("dh-minimum-bits", "7 bits"), Some((4, 19)));
        assert_eq!(place("certificates.chain", "cannot read two.pem"), Some((8, 9)));
        assert_eq!(place("certificates.chain", "something"), Some((6, 9)));
        assert_eq!(place("package", "x"), Some((1, 11)));
        assert_eq!(place("pins", "x"), None);
        let is_named = |message| place_of(TEXT, "schannel", "dh-minimum-bits", message).unwrap().is_named;
        assert!(is_named("not 7") && !is_named("not 8"));
    }
}
