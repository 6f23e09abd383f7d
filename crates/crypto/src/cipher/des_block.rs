//! DES on one block, as challenges and passwords are encrypted with it.

use zeroize::Zeroizing;

use super::des::Des;

/// The block that DES makes of `block` under a key of 56 bits. For the protocols that prescribe it only.
///
/// Spec: DES.
#[must_use]
pub fn des_encrypt_block(key: &[u8; 7], block: [u8; 8]) -> [u8; 8] {
    let key = Zeroizing::new([des_key(key)]);
    let [encrypted] = Des::<1>::encrypting(&key).apply([u64::from_be_bytes(block)]);
    encrypted.to_be_bytes()
}

/// The 8 bytes of a key that its 56 bits become: seven to a byte, and behind them one for parity, which is odd.
#[must_use]
pub fn des_key(bits: &[u8; 7]) -> [u8; 8] {
    let [a, b, c, d, e, f, g] = *bits;
    let mut all = Zeroizing::new(u64::from_be_bytes([0, a, b, c, d, e, f, g]));
    let mut key = [0; 8];
    for byte in key.iter_mut().rev() {
        let [.., low] = all.to_be_bytes();
        let seven = low << 1;
        *byte = seven | u8::from(seven.count_ones() % 2 == 0);
        *all >>= 7;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::des::cipher::{BlockCipherEncrypt as _, KeyInit as _};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    /// The two halves of the LM hash of a password of no characters are this block under no key: anybody knows them.
    #[test]
    fn the_constant_of_lan_manager_under_zeros_is_what_everybody_knows() {
        let half = des_encrypt_block(&[0; 7], *b"KGS!@#$%");
        assert_eq!(half, [0xaa, 0xd3, 0xb4, 0x35, 0xb5, 0x14, 0x04, 0xee]);
    }

    #[test]
    fn every_byte_of_a_key_has_seven_bits_and_odd_parity() {
        assert_eq!(des_key(&[0; 7]), [1; 8]);
        assert_eq!(des_key(&[0xff; 7]), [0xfe; 8]);
        assert_eq!(des_key(&[0x80, 0, 0, 0, 0, 0, 1]), [0x80, 1, 1, 1, 1, 1, 1, 2]);
    }

    proptest! {
        #[test]
        fn a_block_is_encrypted_as_by_another_implementation(key in any::<[u8; 7]>(), block in any::<[u8; 8]>()) {
            let mut expected = block.into();
            ::des::Des::new(&des_key(&key).into()).encrypt_block(&mut expected);
            prop_assert_eq!(des_encrypt_block(&key, block), <[u8; 8]>::from(expected));
        }
    }
}
