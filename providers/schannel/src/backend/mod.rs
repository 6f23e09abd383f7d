//! The engines behind the package.

pub(crate) mod rustls;
