//! What a command is given to look at: as an argument, in a file, or on the input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::exit::Failure;

/// The most that is read, in bytes: more than twice what any token has.
const LONGEST_INPUT: u64 = 1 << 20;

/// What the argument says; without one, or where it is `-`, what is in the file; without that, what is on the input.
///
/// # Errors
/// It cannot be read.
pub(crate) fn bytes(argument: Option<String>, file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    if let Some(argument) = argument.filter(|argument| argument != "-") {
        return Ok(argument.into_bytes());
    }
    match file {
        Some(file) => {
            File::open(file).and_then(read).map_err(|error| unreadable(&file.display().to_string(), &error))
        }
        None => read(io::stdin()).map_err(|error| unreadable("the input", &error)),
    }
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LONGEST_INPUT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(what: &str, error: &io::Error) -> Failure {
    Failure::usage(format!("{what} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_comes_before_a_file_and_a_dash_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "in the file").unwrap();
        let given = |argument: Option<&str>| bytes(argument.map(str::to_owned), Some(&file)).ok().unwrap();
        assert_eq!(given(Some("an argument")), b"an argument");
        assert_eq!(given(Some("-")), b"in the file");
        assert_eq!(given(None), b"in the file");
    }

    #[test]
    fn a_file_that_is_not_there_is_named_and_no_more_is_read_than_a_token_has() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let failure = bytes(None, Some(&file)).err().unwrap();
        assert!(failure.message.contains("token cannot be read:"), "{}", failure.message);
        assert_eq!(failure.class.code(), 2);
        std::fs::write(&file, vec![b'a'; (1 << 20) + 1]).unwrap();
        assert_eq!(bytes(None, Some(&file)).ok().unwrap().len(), 1 << 20);
    }
}
