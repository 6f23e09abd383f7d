//! Names as people read them, harmless to print: strings of RFC 4514.
//!
//! Spec: X509 section 4.1.2.4.

use super::der::{DecodeError, Element, Encoding, OBJECT_IDENTIFIER, Reader, SEQUENCE, SET, dotted};

/// Descriptors of attribute types, by the content of their object identifiers: those of RFC 4514 section 3, and others
/// that are registered for LDAP and occur in certificates.
const DESCRIPTORS: &[(&[u8], &str)] = &[
    (COMMON_NAME, "CN"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x55, 4, 4], "sn"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 17], "postalCode"),
    (&[0x55, 4, 42], "givenName"),
    (&[0x55, 4, 97], "organizationIdentifier"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
];

/// The string of a Name, given whole: `CN=leaf,O=Example\, Inc.,C=US`, the most specific part first.
///
/// Whatever does not print as itself (control characters, invisible ones, those that change the direction of writing) is
/// escaped as `\` and two hexadecimal digits for each byte of its UTF-8, which RFC 4514 allows for every character.
pub(super) fn rfc4514(name: &[u8], field: &'static str) -> Result<String, DecodeError> {
    let mut parts = Vec::new();
    for set in relative_names(name, Encoding::Loose, field)? {
        let part = set.iter().map(|(kind, value)| type_and_value(kind, *value)).collect::<Option<Vec<_>>>();
        parts.push(part.ok_or(DecodeError::value(field))?.join("+"));
    }
    parts.reverse();
    Ok(parts.join(","))
}

/// Types and values of one RelativeDistinguishedName: the content of each object identifier, and the value.
pub(super) type RelativeName<'a> = Vec<(&'a [u8], Element<'a>)>;

/// The parts of a Name, given whole, the most general first as they stand in it.
pub(super) fn relative_names<'a>(
    name: &'a [u8],
    encoding: Encoding,
    field: &'static str,
) -> Result<Vec<RelativeName<'a>>, DecodeError> {
    let mut names = Vec::new();
    let mut sets = Reader::inside_of(name, SEQUENCE, field, encoding)?;
    while !sets.is_empty() {
        let mut attributes = sets.nested(SET, field)?;
        let mut set = Vec::new();
        while !attributes.is_empty() {
            let mut attribute = attributes.nested(SEQUENCE, field)?;
            let kind = attribute.expect(OBJECT_IDENTIFIER, field)?.content;
            set.push((kind, attribute.element(field)?));
            attribute.finish(field)?;
        }
        names.push(set);
    }
    Ok(names)
}

/// commonName, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// The most specific common name of a Name, given whole; `None` without one, or where it is no text.
pub(super) fn common_name(name: &[u8], encoding: Encoding) -> Result<Option<String>, DecodeError> {
    let names = relative_names(name, encoding, "TBSCertificate.subject")?;
    let last = names.iter().rev().flatten().find(|(kind, _)| *kind == COMMON_NAME);
    Ok(last.and_then(|(_, value)| text(*value)))
}

fn type_and_value(kind: &[u8], value: Element<'_>) -> Option<String> {
    let descriptor = DESCRIPTORS.iter().find(|(oid, _)| *oid == kind).map(|(_, descriptor)| *descriptor);
    match (descriptor, text(value)) {
        (Some(descriptor), Some(text)) => Some(format!("{descriptor}={}", escaped(&text))),
        (Some(descriptor), None) => Some(format!("{descriptor}=#{}", hex(value.whole))),
        (None, _) => Some(format!("{}=#{}", dotted(kind)?, hex(value.whole))),
    }
}

/// The characters of a string type; `None` for any other type, and for bytes that the type does not allow.
pub(super) fn text(value: Element<'_>) -> Option<String> {
    const UTF8_STRING: u8 = 0x0c;
    const NUMERIC_STRING: u8 = 0x12;
    const PRINTABLE_STRING: u8 = 0x13;
    const TELETEX_STRING: u8 = 0x14;
    const IA5_STRING: u8 = 0x16;
    const VISIBLE_STRING: u8 = 0x1a;
    const UNIVERSAL_STRING: u8 = 0x1c;
    const BMP_STRING: u8 = 0x1e;
    let bytes = value.content;
    match value.tag {
        UTF8_STRING => String::from_utf8(bytes.to_vec()).ok(),
        NUMERIC_STRING | PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING => {
            bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect())
        }
        // T.61 by the letter, Latin-1 in every certificate that was seen.
        TELETEX_STRING => Some(bytes.iter().copied().map(char::from).collect()),
        UNIVERSAL_STRING => {
            let (characters, rest) = bytes.as_chunks::<4>();
            let string =
                characters.iter().map(|c| char::from_u32(u32::from_be_bytes(*c))).collect::<Option<_>>();
            string.filter(|_| rest.is_empty())
        }
        BMP_STRING => {
            let (units, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16(&units).ok().filter(|_| rest.is_empty())
        }
        _ => None,
    }
}

/// A value with everything escaped that means something in a name (RFC 4514 section 2.4) or to a terminal.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (position, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', character]),
            '#' if position == 0 => out.push_str("\\#"),
            ' ' if position == 0 || position == last => out.push_str("\\ "),
            plain if prints_as_itself(plain) => out.push(plain),
            other => {
                other.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&format!("\\{byte:02X}")))
            }
        }
    }
    out
}

/// Whether a character shows, and changes nothing around it: terminals obey control characters, and a name that writes
/// from right to left reads as another one.
const fn prints_as_itself(character: char) -> bool {
    !matches!(
        character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// An IA5String of a peer with everything but visible ASCII, and `\` itself, made `\` and two hexadecimal digits. A DNS
/// name stays as it is; what had to be changed matches no name.
pub(super) fn visible(ia5: &[u8]) -> String {
    let mut out = String::with_capacity(ia5.len());
    for byte in ia5 {
        match byte {
            b'\\' => out.push_str("\\5C"),
            0x21..=0x7e => out.push(char::from(*byte)),
            other => out.push_str(&format!("\\{other:02X}")),
        }
    }
    out
}

/// Text of a peer with its control characters made visible, and cut where it gets long.
pub(crate) fn harmless(text: &str) -> String {
    const LONGEST: usize = 400;
    let mut out: String = text.chars().flat_map(char::escape_debug).take(LONGEST).collect();
    if out.chars().count() == LONGEST {
        out.push('…');
    }
    out
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CN: &[u8] = &[6, 3, 0x55, 4, 3];
    const O: &[u8] = &[6, 3, 0x55, 4, 10];
    const UTF8: u8 = 0x0c;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn attribute(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        tlv(SEQUENCE, &[kind, &tlv(tag, value)].concat())
    }

    fn name(sets: &[&[u8]]) -> String {
        let sets: Vec<u8> = sets.iter().flat_map(|set| tlv(SET, set)).collect();
        rfc4514(&tlv(SEQUENCE, &sets), "name").unwrap()
    }

    fn cn(value: &str) -> String {
        name(&[&attribute(CN, UTF8, value.as_bytes())]).strip_prefix("CN=").unwrap().to_owned()
    }

    #[test]
    fn the_most_specific_part_comes_first() {
        let (o, cn) = (attribute(O, 0x13, b"Example"), attribute(CN, UTF8, "Grüße".as_bytes()));
        assert_eq!(name(&[&o, &cn]), "CN=Grüße,O=Example");
        assert_eq!(name(&[&[o, cn].concat()]), "O=Example+CN=Grüße");
        assert_eq!(name(&[]), "");
    }

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(cn(r#"a,b+c"d\e<f>g;h=i"#), r#"a\,b\+c\"d\\e\<f\>g\;h=i"#);
        assert_eq!(cn(" # "), r"\ #\ ");
        assert_eq!(cn("#1 # 2"), r"\#1 # 2");
        assert_eq!(cn(" "), r"\ ");
        assert_eq!(cn(""), "");
    }

    #[test]
    fn nothing_that_a_terminal_or_an_eye_would_misread_stays() {
        assert_eq!(cn("a\0b\x1b[2J\r\n\x7f"), r"a\00b\1B[2J\0D\0A\7F");
        assert_eq!(cn("\u{9b}31m"), r"\C2\9B31m", "a control character of Latin-1");
        assert_eq!(cn("moc.\u{202e}live"), r"moc.\E2\80\AElive");
        assert_eq!(cn("a\u{200b}\u{feff}b"), r"a\E2\80\8B\EF\BB\BFb");
        assert_eq!(visible(b"a.example\x1b \\\xff"), r"a.example\1B\20\5C\FF");
        assert_eq!(visible(b"*.example.com"), "*.example.com");
    }

    #[test]
    fn every_string_type_is_read_and_others_are_written_in_hexadecimal() {
        assert_eq!(name(&[&attribute(CN, 0x1e, &[0, b'a', 0x20, 0xac])]), "CN=a€");
        assert_eq!(name(&[&attribute(CN, 0x1c, &[0, 1, 0xf6, 0])]), "CN=😀");
        assert_eq!(name(&[&attribute(CN, 0x14, &[b'a', 0xe4])]), "CN=aä");
        assert_eq!(name(&[&attribute(CN, 0x1e, &[0xd8, 0])]), "CN=#1e02d800", "half a surrogate pair");
        assert_eq!(name(&[&attribute(CN, 0x1c, &[0, 0x11, 0, 0])]), "CN=#1c0400110000");
        assert_eq!(name(&[&attribute(CN, UTF8, &[0xff])]), "CN=#0c01ff");
        assert_eq!(name(&[&attribute(CN, 0x13, &[0xff])]), "CN=#1301ff");
        assert_eq!(name(&[&attribute(CN, 2, &[1])]), "CN=#020101");
        assert_eq!(name(&[&attribute(&[6, 3, 0x55, 4, 99], UTF8, b"x")]), "2.5.4.99=#0c0178");
    }
}
