//! Mechanisms by their object identifiers, and lists of them.

use std::borrow::Cow;
use std::fmt;

use crate::der::{Der, put, put_bytes, tag, take};
use crate::{DecodeError, MAXIMUM_TOKEN};

/// The most mechanisms that a list may have. Windows sends four.
pub const MAXIMUM_MECHANISMS: usize = 32;

/// The longest object identifier that is read, in bytes.
const MAXIMUM_LEN: usize = 64;

/// `MechType`: a mechanism, as the content of its object identifier in DER.
///
/// Spec: SPNEGO section 4.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MechType<'a>(&'a [u8]);

macro_rules! mechanisms {
    ($($(#[$doc:meta])* $name:ident = $content:literal, $shown:literal;)*) => {
        impl MechType<'static> {
            $($(#[$doc])* pub const $name: Self = Self($content);)*
        }

        impl MechType<'_> {
            /// What people call it, where it is known.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($content => Some($shown),)*
                    _ => None,
                }
            }
        }
    };
}

mechanisms! {
    /// SPNEGO itself, 1.3.6.1.5.5.2.
    SPNEGO = b"\x2b\x06\x01\x05\x05\x02", "SPNEGO";
    /// Kerberos 5, 1.2.840.113554.1.2.2.
    KERBEROS = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", "Kerberos";
    /// Kerberos 5 as Windows 2000 came to write it, 1.2.840.48018.1.2.2: one bit is lost. It is the same mechanism.
    ///
    /// Spec: SPNEGO appendix C; MS-SPNG section 1.9.
    MS_KERBEROS = b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02", "Kerberos (Microsoft's identifier)";
    /// Kerberos 5 from user to user, 1.2.840.113554.1.2.2.3.
    KERBEROS_USER_TO_USER = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03", "Kerberos, user to user";
    /// NTLM, 1.3.6.1.4.1.311.2.2.10.
    NTLM = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a", "NTLM";
    /// The extended negotiation of Microsoft, 1.3.6.1.4.1.311.2.2.30.
    NEGOEX = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e", "NegoEx";
}

impl<'a> MechType<'a> {
    /// From the content of an object identifier in DER, without tag and length; `None` where that is none: empty, too long,
    /// or with a number in it that does not end, or begins with a zero.
    #[must_use]
    pub fn from_content(content: &'a [u8]) -> Option<Self> {
        let (mut ends, mut has_padding) = (true, false);
        for octet in content {
            has_padding |= ends && *octet == 0x80;
            ends = octet & 0x80 == 0;
        }
        let is_one = ends && !has_padding && (1..=MAXIMUM_LEN).contains(&content.len());
        is_one.then_some(Self(content))
    }

    /// The content of the object identifier, without tag and length.
    #[must_use]
    pub const fn content(self) -> &'a [u8] {
        self.0
    }

    /// Whether both are the same mechanism, though Microsoft's identifier of Kerberos is not everybody's.
    #[must_use]
    pub fn is_same_mechanism(self, other: MechType<'_>) -> bool {
        self.is_that_of(other.0)
    }

    /// The same of the content of an object identifier, whether or not it is one.
    #[must_use]
    pub fn is_that_of(self, content: &[u8]) -> bool {
        let is_kerberos =
            |content: &[u8]| content == MechType::KERBEROS.0 || content == MechType::MS_KERBEROS.0;
        self.0 == content || (is_kerberos(self.0) && is_kerberos(content))
    }

    pub(crate) fn decode(der: &mut Der<'a>, field: &'static str) -> Result<Self, DecodeError> {
        let element = der.element(field, tag::OBJECT_IDENTIFIER)?;
        Self::from_content(element.content.bytes()).ok_or(element.content.illegal(field))
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        put_bytes(out, tag::OBJECT_IDENTIFIER, self.0);
    }
}

/// In dotted notation.
impl fmt::Display for MechType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value: Option<u64> = Some(0);
        let mut is_first = true;
        for octet in self.0 {
            value = value
                .filter(|value| value >> (64 - 7) == 0)
                .map(|value| (value << 7) | u64::from(octet & 0x7f));
            if octet & 0x80 != 0 {
                continue;
            }
            match value {
                Some(value) if is_first => {
                    let root = (value / 40).min(2);
                    write!(f, "{root}.{}", value - root * 40)?;
                }
                Some(value) => write!(f, ".{value}")?,
                None => f.write_str(if is_first { "?" } else { ".?" })?,
            }
            is_first = false;
            value = Some(0);
        }
        Ok(())
    }
}

impl fmt::Debug for MechType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "MechType({self} {name})"),
            None => write!(f, "MechType({self})"),
        }
    }
}

/// `MechTypeList`: mechanisms in order of preference, the favourite first; never empty.
///
/// It keeps the bytes as they were sent, since it is over these that the peers exchange a MIC.
///
/// Spec: SPNEGO section 4.1.
#[derive(Clone, PartialEq, Eq)]
pub struct MechTypeList<'a> {
    der: Cow<'a, [u8]>,
}

/// Names the list in errors.
const FIELD: &str = "NegTokenInit.mechTypes";

impl<'a> MechTypeList<'a> {
    /// A list of these; `None` where there is none, or there are too many.
    #[must_use]
    pub fn new<'m>(mechanisms: impl IntoIterator<Item = MechType<'m>>) -> Option<MechTypeList<'static>> {
        let mut count = 0_usize;
        let mut der = Vec::new();
        put(&mut der, tag::SEQUENCE, |der| {
            for mechanism in mechanisms.into_iter().take(MAXIMUM_MECHANISMS + 1) {
                mechanism.encode(der);
                count += 1;
            }
        });
        (1..=MAXIMUM_MECHANISMS).contains(&count).then_some(MechTypeList { der: Cow::Owned(der) })
    }

    /// Reads a list off DER as [`as_der`](Self::as_der) yields it.
    ///
    /// # Errors
    /// It is no list, is empty, or has something else in it than object identifiers, or too many.
    pub fn from_der(der: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode(Der::new(der, 0))
    }

    pub(crate) fn decode(mut outer: Der<'a>) -> Result<Self, DecodeError> {
        let list = outer.element(FIELD, tag::SEQUENCE)?;
        outer.finish(FIELD)?;
        let mut content = list.content;
        let mut count = 0_usize;
        while count == 0 || !content.is_empty() {
            let _is_one = MechType::decode(&mut content, FIELD)?;
            count += 1;
            if count > MAXIMUM_MECHANISMS {
                return Err(content.illegal(FIELD));
            }
        }
        Ok(Self { der: Cow::Borrowed(list.whole) })
    }

    /// The list as it stands in the token, without its context tag: what a `mechListMIC` is over.
    ///
    /// Spec: SPNEGO section 5.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The same list, for as long as this one is there.
    #[must_use]
    pub fn by_ref(&self) -> MechTypeList<'_> {
        MechTypeList { der: Cow::Borrowed(&self.der) }
    }

    /// The mechanisms, the favourite first.
    pub fn iter(&self) -> impl Iterator<Item = MechType<'_>> {
        // What is here was read, or written, and is a list. Lengths of many bytes are read by those who must.
        let mut content = Der::new(&self.der, 0).any(FIELD).map_or(&[][..], |list| list.content.bytes());
        core::iter::from_fn(move || {
            if let Some((mechanism, behind)) = take(content, tag::OBJECT_IDENTIFIER) {
                content = behind;
                return Some(MechType(mechanism));
            }
            let mut der = Der::new(content, 0);
            let mechanism = MechType::decode(&mut der, FIELD).ok();
            content = der.bytes();
            mechanism
        })
    }
}

impl fmt::Debug for MechTypeList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

const _: () = assert!(MAXIMUM_MECHANISMS * (MAXIMUM_LEN + 2) < MAXIMUM_TOKEN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_are_shown_by_name_and_number() {
        assert_eq!(MechType::NTLM.to_string(), "1.3.6.1.4.1.311.2.2.10");
        assert_eq!(MechType::MS_KERBEROS.to_string(), "1.2.840.48018.1.2.2");
        assert_eq!(MechType::KERBEROS.name(), Some("Kerberos"));
        assert_eq!(format!("{:?}", MechType::SPNEGO), "MechType(1.3.6.1.5.5.2 SPNEGO)");
        let unknown = MechType::from_content(&[0x2a, 3]).unwrap();
        assert_eq!((unknown.name(), unknown.to_string().as_str()), (None, "1.2.3"));
        let endless = [&[0x2a][..], &[0xff; 12], &[0x7f, 3]].concat();
        assert_eq!(MechType::from_content(&endless).unwrap().to_string(), "1.2.?.3");
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for wrong in [&[][..], &[0x2a, 0x86], &[0x2a, 0x80, 1], &[0x80, 1], &[1; 65]] {
            assert_eq!(MechType::from_content(wrong), None, "{wrong:x?}");
        }
    }

    #[test]
    fn both_identifiers_of_kerberos_are_one_mechanism() {
        assert!(MechType::KERBEROS.is_same_mechanism(MechType::MS_KERBEROS));
        assert!(MechType::MS_KERBEROS.is_same_mechanism(MechType::KERBEROS));
        assert!(!MechType::KERBEROS.is_same_mechanism(MechType::NTLM));
        assert!(!MechType::KERBEROS_USER_TO_USER.is_same_mechanism(MechType::KERBEROS));
    }

    #[test]
    fn lists_have_one_mechanism_at_least_and_not_too_many() {
        assert_eq!(MechTypeList::new([]), None);
        assert_eq!(MechTypeList::new([MechType::NTLM; MAXIMUM_MECHANISMS + 1]), None);
        let full = MechTypeList::new([MechType::NTLM; MAXIMUM_MECHANISMS]).unwrap();
        assert_eq!(MechTypeList::from_der(full.as_der()).unwrap().iter().count(), MAXIMUM_MECHANISMS);
        assert!(MechTypeList::from_der(&[0x30, 0]).is_err());
        let mut more = Vec::new();
        put(&mut more, tag::SEQUENCE, |out| {
            (0..=MAXIMUM_MECHANISMS).for_each(|_| MechType::NTLM.encode(out));
        });
        assert_eq!(MechTypeList::from_der(&more).unwrap_err().field, FIELD);
    }
}
