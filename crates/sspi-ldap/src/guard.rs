//! What the LDAP library is not shown: messages that are too long, or nested too deep. It reads them by recursion, without a
//! bound of its own.

use std::io;

/// The longest message of a server, in bytes.
const LONGEST: usize = 256 * 1024;
/// The tag of a message.
const SEQUENCE: u8 = 0x30;
/// How deep elements may be nested. An entry has six levels, a control two more.
const DEEPEST: usize = 10;

/// The length of the message at the beginning of `input`; `None` if it is not whole yet.
///
/// # Errors
/// It may not come through.
pub(crate) fn message(input: &[u8]) -> io::Result<Option<usize>> {
    let refused =
        |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the directory sent {what}"));
    if input.first().is_some_and(|tag| *tag != SEQUENCE) {
        return Err(refused("what is no LDAP"));
    }
    let Some((header, length)) = header(input).map_err(|()| refused("a message that is no LDAP"))? else {
        return Ok(None);
    };
    let end = header.saturating_add(length);
    if end > LONGEST {
        return Err(refused("a message that is too long"));
    }
    let Some(content) = input.get(header..end) else { return Ok(None) };
    if !is_shallow(content, DEEPEST) {
        return Err(refused("a message that is no LDAP, or nested too deep"));
    }
    Ok(Some(end))
}

/// The length of tag and length, and the length of the content; `None` if there is more to come.
///
/// Spec: LDAP section 5.1: lengths are definite, tags have one byte.
fn header(input: &[u8]) -> Result<Option<(usize, usize)>, ()> {
    let Some((tag, rest)) = input.split_first() else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(());
    }
    match rest.split_first() {
        None => Ok(None),
        Some((short @ ..0x80, _)) => Ok(Some((2, usize::from(*short)))),
        Some((long, rest)) => {
            let digits = usize::from(long & 0x7f);
            if !(1..=4).contains(&digits) {
                return Err(());
            }
            let Some(digits) = rest.get(..digits) else { return Ok(None) };
            let length = digits.iter().fold(0_u32, |length, digit| length << 8 | u32::from(*digit));
            Ok(Some((2 + digits.len(), usize::try_from(length).map_err(|_| ())?)))
        }
    }
}

/// Whether whole elements follow each other, and none is nested deeper.
fn is_shallow(mut content: &[u8], levels: usize) -> bool {
    while let Some(tag) = content.first() {
        let Ok(Some((start, length))) = header(content) else { return false };
        let end = start.saturating_add(length);
        let (Some(inside), Some(rest)) = (content.get(start..end), content.get(end..)) else { return false };
        let is_constructed = tag & 0x20 != 0;
        if is_constructed && (levels == 0 || !is_shallow(inside, levels - 1)) {
            return false;
        }
        content = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bind response: success.
    const RESPONSE: [u8; 14] = [0x30, 12, 2, 1, 1, 0x61, 7, 10, 1, 0, 4, 0, 4, 0];

    #[test]
    fn messages_come_through_when_they_are_whole() {
        for end in 0..RESPONSE.len() {
            assert_eq!(message(&RESPONSE[..end]).unwrap(), None, "{end}");
        }
        assert_eq!(message(&RESPONSE).unwrap(), Some(14));
        assert_eq!(message(&[RESPONSE, RESPONSE].concat()).unwrap(), Some(14));
        assert_eq!(
            message(&[0x30, 0x84, 0, 0, 0, 3, 2, 1, 1]).unwrap(),
            Some(9),
            "as Active Directory has lengths"
        );
    }

    #[test]
    fn what_would_hurt_the_library_does_not() {
        let mut nested = vec![4, 0];
        for _ in 0..20 {
            nested = [&[0x30, u8::try_from(nested.len()).unwrap()][..], &nested].concat();
        }
        for (what, bytes) in [
            ("nested", nested.as_slice()),
            ("long", &[0x30, 0x84, 0, 4, 0, 1]),
            ("endless", &[0x30, 0x80, 4, 0, 0, 0]),
            ("no message", &[4, 1, 0]),
            ("text", b"HTTP/1.1"),
            ("a tag of several bytes", &[0x3f, 1, 0]),
            ("an element that is not whole", &[0x30, 3, 2, 9, 1]),
            ("a long length of nine bytes", &[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ] {
            assert!(message(bytes).is_err(), "{what}");
        }
    }
}
