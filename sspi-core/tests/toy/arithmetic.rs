//! A checksum that plays the MAC and a keystream that plays the cipher. **Neither is secure.**

/// Stirs 64 bits (the finalizer of splitmix64).
pub(crate) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A checksum over pieces, under a key. The pieces' lengths count.
pub(crate) struct ToyMac(u64);

impl ToyMac {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(0xcbf2_9ce4_8422_2325).piece(key)
    }

    pub(crate) fn piece(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(mix(self.0 ^ bytes.len() as u64))
    }

    pub(crate) fn finish(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// Bytes that both ends can compute, to be added to data and taken off again.
pub(crate) struct ToyKeystream {
    seed: u64,
    position: u64,
}

impl ToyKeystream {
    pub(crate) fn new(key: [u8; 8], sequence: u32) -> Self {
        Self { seed: mix(u64::from_be_bytes(key) ^ u64::from(sequence)), position: 0 }
    }

    /// Goes on where the last call stopped, so that data may lie in several buffers.
    pub(crate) fn apply(&mut self, data: &mut [u8]) {
        for byte in data {
            let [.., low] = mix(self.seed ^ self.position).to_be_bytes();
            *byte ^= low;
            self.position += 1;
        }
    }
}
