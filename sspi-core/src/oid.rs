//! Object identifiers, by which mechanisms are named on the wire.

use core::fmt;

/// An object identifier: the content octets of its DER encoding.
///
/// Spec: X690 section 8.19.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(Vec<u8>);

impl Oid {
    /// From the content octets of a DER OBJECT IDENTIFIER, without tag and length.
    #[must_use]
    pub fn from_content(content: &[u8]) -> Self {
        Self(content.to_vec())
    }

    /// From dotted notation, such as `1.3.6.1.4.1.311.2.2.10`; `None` where that is no object identifier.
    #[must_use]
    pub fn from_dotted(dotted: &str) -> Option<Self> {
        let mut arcs = dotted.split('.').map(|arc| arc.parse::<u64>().ok());
        let (first, second) = (arcs.next()??, arcs.next()??);
        if first > 2 || (first < 2 && second > 39) {
            return None;
        }
        let mut content = Vec::new();
        push_base128(&mut content, first.checked_mul(40)?.checked_add(second)?);
        for arc in arcs {
            push_base128(&mut content, arc?);
        }
        Some(Self(content))
    }

    /// The content octets, without tag and length.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.0
    }
}

fn push_base128(out: &mut Vec<u8>, value: u64) {
    let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let seven_bits = (value >> (7 * group)) & 0x7f;
        let more = if group == 0 { 0 } else { 0x80 };
        out.extend(u8::try_from(seven_bits | more));
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value: u64 = 0;
        let mut first = true;
        for byte in &self.0 {
            value = (value << 7) | u64::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                continue;
            }
            if first {
                let root = (value / 40).min(2);
                write!(f, "{root}.{}", value - root * 40)?;
                first = false;
            } else {
                write!(f, ".{value}")?;
            }
            value = 0;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Oid;

    #[test]
    fn dotted_and_content_are_the_same_identifier() {
        let ntlm = Oid::from_dotted("1.3.6.1.4.1.311.2.2.10").unwrap();
        assert_eq!(ntlm.content(), [0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10]);
        assert_eq!(ntlm.to_string(), "1.3.6.1.4.1.311.2.2.10");
        assert_eq!(Oid::from_dotted("2.999.3").unwrap().to_string(), "2.999.3");
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for wrong in ["", "1", "3.1", "1.40", "1.2.x", "1..2"] {
            assert_eq!(Oid::from_dotted(wrong), None, "{wrong}");
        }
    }
}
