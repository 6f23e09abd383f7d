//! Diffie-Hellman over elliptic curves: P-256, P-384 and X25519, with keys that are used once.
//!
//! Spec: ECC section 5.10; X25519 (RFC 7748) section 6.1.

use std::fmt::{self, Debug, Formatter};

use p256::elliptic_curve::Group as _;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::sec1::ToSec1Point;
use zeroize::{Zeroize, Zeroizing};

use crate::random::Random;
pub use crate::secret::{AgreementError, SharedSecret};

/// A curve to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedGroup {
    /// P-256.
    Secp256r1,
    /// P-384.
    Secp384r1,
    /// Curve25519, of which only the x-coordinate is sent.
    X25519,
}

impl NamedGroup {
    /// The number that TLS gives it.
    ///
    /// Spec: ECC section 5.1.1.
    #[must_use]
    pub const fn code_point(self) -> u16 {
        match self {
            Self::Secp256r1 => 23,
            Self::Secp384r1 => 24,
            Self::X25519 => 29,
        }
    }

    /// The group of this number, if it is one of ours.
    #[must_use]
    pub const fn from_code_point(number: u16) -> Option<Self> {
        match number {
            23 => Some(Self::Secp256r1),
            24 => Some(Self::Secp384r1),
            29 => Some(Self::X25519),
            _ => None,
        }
    }

    /// The number of bytes of a public value: an uncompressed point, or the x-coordinate of X25519.
    #[must_use]
    pub const fn public_value_len(self) -> usize {
        match self {
            Self::Secp256r1 => 65,
            Self::Secp384r1 => 97,
            Self::X25519 => 32,
        }
    }
}

/// A private key and its public value, for one handshake. Zeroized on drop.
pub struct EphemeralKey {
    secret: Secret,
    public: Vec<u8>,
}

enum Secret {
    P256(p256::NonZeroScalar),
    P384(p384::NonZeroScalar),
    X25519(Zeroizing<[u8; 32]>),
}

impl EphemeralKey {
    /// Draws a private key.
    ///
    /// # Errors
    ///
    /// [`AgreementError::Random`].
    pub fn generate(group: NamedGroup, random: &dyn Random) -> Result<Self, AgreementError> {
        let secret = match group {
            NamedGroup::Secp256r1 => Secret::P256(scalar(random, |bytes: &[u8; 32]| {
                p256::NonZeroScalar::try_from(bytes.as_slice()).ok()
            })?),
            NamedGroup::Secp384r1 => Secret::P384(scalar(random, |bytes: &[u8; 48]| {
                p384::NonZeroScalar::try_from(bytes.as_slice()).ok()
            })?),
            NamedGroup::X25519 => {
                let mut bytes = Zeroizing::new([0; 32]);
                random.fill(bytes.as_mut())?;
                Secret::X25519(bytes)
            }
        };
        let public = secret.public_value();
        Ok(Self { secret, public })
    }

    /// The group.
    #[must_use]
    pub const fn group(&self) -> NamedGroup {
        match self.secret {
            Secret::P256(_) => NamedGroup::Secp256r1,
            Secret::P384(_) => NamedGroup::Secp384r1,
            Secret::X25519(_) => NamedGroup::X25519,
        }
    }

    /// The public value as it is sent: 04, x and y, or the 32 bytes of X25519.
    #[must_use]
    pub fn public_value(&self) -> Vec<u8> {
        self.public.clone()
    }

    /// The secret shared with the owner of `peer`: the x-coordinate, as long as the curve has it.
    ///
    /// # Errors
    ///
    /// [`AgreementError::PublicValue`] if `peer` is no uncompressed point on the curve, or the secret would be zero.
    ///
    /// Spec: ECC section 5.10.
    pub fn agree(self, peer: &[u8]) -> Result<SharedSecret, AgreementError> {
        const BAD: AgreementError = AgreementError::PublicValue;
        // TLS sends points uncompressed; the form has one length for each group.
        if peer.len() != self.group().public_value_len() {
            return Err(BAD);
        }
        let shared = match &self.secret {
            Secret::P256(scalar) => {
                let point = p256::PublicKey::from_sec1_bytes(peer).map_err(|_| BAD)?;
                x_of((point.to_projective() * **scalar).to_affine())
            }
            Secret::P384(scalar) => {
                let point = p384::PublicKey::from_sec1_bytes(peer).map_err(|_| BAD)?;
                x_of((point.to_projective() * **scalar).to_affine())
            }
            Secret::X25519(bytes) => {
                let peer = <[u8; 32]>::try_from(peer).map_err(|_| BAD)?;
                let shared = Zeroizing::new(x25519_dalek::x25519(**bytes, peer));
                // A point of small order yields zero, whatever our key is.
                if crate::constant_time::ct_eq(shared.as_ref(), &[0; 32]) {
                    return Err(BAD);
                }
                Zeroizing::new(shared.to_vec())
            }
        };
        Ok(SharedSecret::new(shared))
    }
}

/// The x-coordinate of the shared point, which is wiped.
fn x_of<A: AffineCoordinates + Zeroize>(mut point: A) -> Zeroizing<Vec<u8>> {
    let x = Zeroizing::new(point.x().as_ref().to_vec());
    point.zeroize();
    x
}

impl Secret {
    fn public_value(&self) -> Vec<u8> {
        match self {
            Self::P256(scalar) => p256::ProjectivePoint::mul_by_generator(scalar)
                .to_affine()
                .to_sec1_point(false)
                .as_bytes()
                .to_vec(),
            Self::P384(scalar) => p384::ProjectivePoint::mul_by_generator(scalar)
                .to_affine()
                .to_sec1_point(false)
                .as_bytes()
                .to_vec(),
            Self::X25519(bytes) => {
                x25519_dalek::x25519(**bytes, x25519_dalek::X25519_BASEPOINT_BYTES).to_vec()
            }
        }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        match self {
            Self::P256(scalar) => scalar.zeroize(),
            Self::P384(scalar) => scalar.zeroize(),
            Self::X25519(bytes) => bytes.zeroize(),
        }
    }
}

/// A scalar that is not zero and below the order. One draw in 2^32 is not, for P-256; a source for which eight in a row
/// are not is broken.
fn scalar<const N: usize, S>(
    random: &dyn Random,
    from_bytes: impl Fn(&[u8; N]) -> Option<S>,
) -> Result<S, AgreementError> {
    let mut bytes = Zeroizing::new([0; N]);
    for _ in 0..8 {
        random.fill(bytes.as_mut())?;
        if let Some(scalar) = from_bytes(&bytes) {
            return Ok(scalar);
        }
    }
    Err(AgreementError::Random)
}

impl Debug for EphemeralKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralKey").field("group", &self.group()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
