//! Secrets by reference only: a private key or a password that stands in the configuration itself is refused.

use toml::de::{DeTable, DeValue};

use super::problem::{ConfigProblem, Locator, Segment, full_key};

/// The settings that name a secret.
const SECRET_KEYS: [&str; 7] =
    ["key", "password", "passphrase", "pin-code", "secret", "session-store-keys", "token"];
/// What a reference to a secret begins with.
const REFERENCES: [&str; 2] = ["file:", "env:"];

/// Refuses every secret that stands in the table itself, and takes it out.
pub(super) fn refuse(table: &mut DeTable<'_>, locator: &Locator<'_>, problems: &mut Vec<ConfigProblem>) {
    refuse_in(table, &mut Vec::new(), locator, problems);
}

fn refuse_in(
    table: &mut DeTable<'_>,
    path: &mut Vec<Segment>,
    locator: &Locator<'_>,
    problems: &mut Vec<ConfigProblem>,
) {
    for (key, value) in table.iter_mut() {
        path.push(Segment::Key(key.get_ref().to_string()));
        let (name, offset) = (key.get_ref().as_ref(), value.span().start);
        refuse_value(name, offset, value.get_mut(), path, locator, problems);
        path.pop();
    }
}

/// Whether it is an address with a password: `SCHEME://USER:PASSWORD@HOST`.
fn has_password(text: &str) -> bool {
    let Some((_scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _host)| user.contains(':'))
}

fn refuse_value(
    name: &str,
    offset: usize,
    value: &mut DeValue<'_>,
    path: &mut Vec<Segment>,
    locator: &Locator<'_>,
    problems: &mut Vec<ConfigProblem>,
) {
    match value {
        DeValue::Table(table) => refuse_in(table, path, locator, problems),
        DeValue::Array(array) => {
            for (index, item) in array.iter_mut().enumerate() {
                path.push(Segment::Index(index));
                let offset = item.span().start;
                refuse_value(name, offset, item.get_mut(), path, locator, problems);
                path.pop();
            }
        }
        DeValue::String(text) => {
            let is_reference = REFERENCES.iter().any(|prefix| text.starts_with(prefix));
            // In a file of accounts it is what the file is for.
            let is_hash = name == "nt-hash" && full_key(path).starts_with("ntlm.");
            let is_secret = SECRET_KEYS.contains(&name) || name.ends_with("-password") || is_hash;
            let what = if text.contains("-----BEGIN") {
                "holds PEM itself"
            } else if is_secret && !is_reference {
                "names a secret"
            } else if has_password(text) {
                "holds a password"
            } else {
                return;
            };
            let message = format!(
                "{} {what}: write a reference instead, \"file:PATH\" or \"env:NAME\"",
                full_key(path)
            );
            problems.push(locator.problem(offset, path, message));
            // What follows sees a reference, so that it has nothing more to say about this.
            *text = "file:".into();
        }
        _ => {}
    }
}
