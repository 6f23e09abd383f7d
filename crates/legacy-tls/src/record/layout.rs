//! Where application data lies among what protects it.

/// What room application data needs around it, so that [`Sealer::seal`](super::Sealer::seal) can protect it where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes before the data. When data is split over two records, that is the whole first record and the header of the
    /// second but for its last byte, which takes the place of the data's first.
    pub header: usize,
    /// Bytes that may be needed after the data.
    pub trailer: usize,
    /// Bytes of a block of the cipher: 1 if it has none.
    pub block: usize,
    /// The most data that is sealed at once.
    pub max_data: usize,
}
