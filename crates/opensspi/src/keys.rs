//! New keys, for certificates that are made on the spot.

use std::io;

use sspi_core::Secret;

/// A new RSA key of so many bits, as PKCS#8 in DER. 2048 bits take a fraction of a second with optimization.
///
/// # Errors
/// The system gives no random bytes, or there are no keys of that size.
pub fn new_rsa_key(bits: usize) -> io::Result<Secret<Vec<u8>>> {
    let key = crypto::rsa::PrivateKey::generate(bits, &crypto::random::SystemRandom);
    let der = key.and_then(|key| key.to_pkcs8_der()).map_err(io::Error::other)?;
    Ok(Secret::new(der.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_impossible_sizes_are_refused() {
        assert!(new_rsa_key(100).is_err());
        assert!(new_rsa_key(512).is_ok());
    }
}
