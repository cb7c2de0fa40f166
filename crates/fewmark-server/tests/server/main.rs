//! The server from outside: over a port, as its clients see it.

mod api;
mod bad_requests;
mod faults;
mod slicer;
mod support;
