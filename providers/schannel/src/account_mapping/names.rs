//! Names as `altSecurityIdentities` hold them.
//!
//! The most general part comes first, parts are separated by a comma alone, types have the names of CryptoAPI's X.500
//! strings: `DC=com,DC=example,CN=Example Issuing CA`. A value that would be misread is put in quotation marks, in which a
//! quotation mark is doubled; so no value can pretend to be another part, or another name.
//!
//! Decision 0021 has what of this is written down, and what is practice.

use crate::certificate::identity::{NameAttribute, NameParts};

/// The names of attribute types.
const TYPES: [(&str, &str); 19] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "S"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "T"),
    ("2.5.4.13", "Description"),
    ("2.5.4.17", "PostalCode"),
    ("2.5.4.18", "POBox"),
    ("2.5.4.20", "Phone"),
    ("2.5.4.42", "G"),
    ("2.5.4.43", "I"),
    ("2.5.4.46", "dnQualifier"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "E"),
];

/// The string of a name. `None` for one that has none: it is empty, or a value is no text or has a control character in it.
pub(super) fn string(name: &NameParts) -> Option<String> {
    let part = |part: &Vec<NameAttribute>| {
        let attributes = part.iter().map(attribute).collect::<Option<Vec<_>>>();
        attributes.filter(|attributes| !attributes.is_empty()).map(|attributes| attributes.join("+"))
    };
    let parts = name.iter().map(part).collect::<Option<Vec<_>>>()?;
    (!parts.is_empty()).then(|| parts.join(","))
}

fn attribute(NameAttribute { kind, text }: &NameAttribute) -> Option<String> {
    let text = text.as_deref().filter(|text| !text.chars().any(char::is_control))?;
    match TYPES.iter().find(|(oid, _)| oid == kind) {
        Some((_, name)) => Some(format!("{name}={}", quoted(text))),
        None => Some(format!("OID.{kind}={}", quoted(text))),
    }
}

/// Spec: CRYPTOAPI (CertNameToStr).
fn quoted(value: &str) -> String {
    const SPECIAL: &[char] = &[',', '+', '=', '"', '<', '>', '#', ';'];
    if !value.is_empty() && !value.contains(SPECIAL) && value.trim() == value {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parts: &[&[(&str, &str)]]) -> NameParts {
        let attribute = |(kind, text): &(&str, &str)| NameAttribute {
            kind: (*kind).to_owned(),
            text: Some((*text).to_owned()),
        };
        parts.iter().map(|part| part.iter().map(attribute).collect()).collect()
    }

    fn cn(value: &str) -> Option<String> {
        string(&name(&[&[("2.5.4.3", value)]]))
    }

    #[test]
    fn the_most_general_part_comes_first() {
        const DC: &str = "0.9.2342.19200300.100.1.25";
        let parts = name(&[&[(DC, "local")], &[(DC, "dod")], &[("2.5.4.3", "SpatDoD Root CA")]]);
        assert_eq!(string(&parts).unwrap(), "DC=local,DC=dod,CN=SpatDoD Root CA");
        let several = name(&[&[("2.5.4.10", "O"), ("2.5.4.8", "ST")], &[("1.2.3", "x")]]);
        assert_eq!(string(&several).unwrap(), "O=O+S=ST,OID.1.2.3=x");
    }

    #[test]
    fn no_value_can_pretend_to_be_another_name() {
        assert_eq!(cn("a,CN=admin").unwrap(), "CN=\"a,CN=admin\"");
        assert_eq!(cn("x<S>CN=admin").unwrap(), "CN=\"x<S>CN=admin\"");
        assert_eq!(cn("x\"<SR>00").unwrap(), "CN=\"x\"\"<SR>00\"");
        assert_eq!(cn(" x").unwrap(), "CN=\" x\"");
        assert_eq!(cn("").unwrap(), "CN=\"\"");
        assert_eq!(
            cn("*)(cn=*").unwrap(),
            "CN=\"*)(cn=*\"",
            "what a filter would misread is the directory's to escape"
        );
    }

    #[test]
    fn names_that_nobody_can_read_have_no_string() {
        for value in ["a\0", "a\nb", "\u{9b}31m"] {
            assert_eq!(cn(value), None, "{value:?}");
        }
        assert_eq!(string(&Vec::new()), None);
        assert_eq!(string(&vec![Vec::new()]), None);
        let no_text = vec![vec![NameAttribute { kind: "2.5.4.3".to_owned(), text: None }]];
        assert_eq!(string(&no_text), None);
    }
}
