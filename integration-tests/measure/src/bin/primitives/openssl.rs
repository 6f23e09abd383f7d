//! What `openssl speed` says.

use std::process::Command;

use opensspi_measure::rates::{Failure, RECORD, Suite, one_after_the_other};

/// Takes AVX-512 IFMA away from OpenSSL: bit 21 of EBX of leaf 7, the low half of the second number.
const WITHOUT_IFMA: &str = ":~0x200000";

/// Which instructions OpenSSL may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instructions {
    All,
    WithoutIfma,
}

/// The first words of `openssl version`.
pub(crate) fn version() -> Result<String, Failure> {
    let output = Command::new("openssl")
        .arg("version")
        .output()
        .map_err(|error| format!("openssl does not start: {error}. Install it to measure beside it"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// Operations with a private key of RSA-2048 in a second of processor time.
pub(crate) fn rsa(instructions: Instructions, seconds: u32) -> Result<f64, Failure> {
    let mut command = speed(seconds);
    if instructions == Instructions::WithoutIfma {
        command.env("OPENSSL_ia32cap", WITHOUT_IFMA);
    }
    // +F2:2:2048:signatures in a second:verifications in a second
    field(command.arg("rsa2048"), "+F2:", 2)
}

/// Megabytes in a second of processor time of what libcrypto has for a suite, and whether it is one function that
/// encrypts and hashes; where it has none, cipher and hash one after the other.
pub(crate) fn records(suite: Suite, opening: bool, seconds: u32) -> Result<(f64, bool), Failure> {
    match suite.name {
        "AES128-SHA" => Ok((evp("aes-128-cbc-hmac-sha1", opening, seconds)?, true)),
        "AES256-SHA" => Ok((evp("aes-256-cbc-hmac-sha1", opening, seconds)?, true)),
        "RC4-MD5" => Ok((evp("rc4-hmac-md5", opening, seconds)?, true)),
        "RC4-SHA" => sum("rc4", opening, seconds),
        _ => sum("des-ede3-cbc", opening, seconds),
    }
}

fn sum(cipher: &str, opening: bool, seconds: u32) -> Result<(f64, bool), Failure> {
    Ok((one_after_the_other(evp(cipher, opening, seconds)?, evp("sha1", false, seconds)?), false))
}

fn evp(name: &str, opening: bool, seconds: u32) -> Result<f64, Failure> {
    let mut command = speed(seconds);
    // RC4 is in the legacy provider.
    command.args(["-provider", "legacy", "-provider", "default", "-bytes", &RECORD.to_string()]);
    if opening {
        command.arg("-decrypt");
    }
    // +F:25:name:bytes in a second
    Ok(field(command.args(["-evp", name]), "+F:", 2)? / 1e6)
}

fn speed(seconds: u32) -> Command {
    let mut command = Command::new("openssl");
    command.args(["speed", "-mr", "-seconds", &seconds.to_string()]);
    command
}

/// A number of the last line that begins so.
fn field(command: &mut Command, start: &str, number: usize) -> Result<f64, Failure> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    number_of(&text, start, number).ok_or_else(|| {
        format!("{command:?} said {text:?} {:?}", String::from_utf8_lossy(&output.stderr)).into()
    })
}

fn number_of(text: &str, start: &str, number: usize) -> Option<f64> {
    let line = text.lines().rev().find_map(|line| line.strip_prefix(start))?;
    line.split(':').nth(number)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_off_what_openssl_prints() {
        let rsa = "+DTP:2048:private:rsa:1\n+F2:2:2048:3867.164179:55056.923077\n";
        assert_eq!(number_of(rsa, "+F2:", 2), Some(3867.164179));
        assert_eq!(number_of("+H:16384\n+F:25:sha1:1874060608.96\n", "+F:", 2), Some(1_874_060_608.96));
        assert_eq!(number_of("nothing", "+F:", 2), None);
    }
}
