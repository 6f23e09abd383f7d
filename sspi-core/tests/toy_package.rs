//! stub
mod toy;
