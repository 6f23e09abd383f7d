//! CRC-32, which messages without extended session security are checked with. It is no protection: it finds accidents.
//!
//! Spec: MS-NLMP section 3.4.4.1.

/// A checksum in progress.
#[derive(Clone, Copy)]
pub(crate) struct Crc32(u32);

impl Crc32 {
    /// Of nothing.
    pub(crate) const fn new() -> Self {
        Self(!0)
    }

    /// Takes data in.
    pub(crate) fn update(&mut self, data: &[u8]) {
        for byte in data {
            let [low, rest @ ..] = self.0.to_le_bytes();
            let [a, b, c] = rest;
            let entry = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
            self.0 = u32::from_le_bytes([a, b, c, 0]) ^ entry;
        }
    }

    /// The checksum of all data.
    pub(crate) const fn finish(self) -> u32 {
        !self.0
    }
}

static TABLE: [u32; 256] = table();

#[expect(clippy::indexing_slicing, reason = "evaluated when compiling")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut entry = byte;
        let mut bit = 0;
        while bit < 8 {
            entry = (entry >> 1) ^ if entry & 1 == 1 { 0xEDB8_8320 } else { 0 };
            bit += 1;
        }
        table[byte as usize] = entry;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::Crc32;

    #[test]
    fn the_checksum_is_the_one_that_everybody_checks_with() {
        let mut crc = Crc32::new();
        crc.update(b"12345");
        crc.update(b"6789");
        assert_eq!(crc.finish(), 0xCBF4_3926);
    }
}
