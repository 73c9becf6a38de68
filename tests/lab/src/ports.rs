//! Free ports below the ephemeral range.
//!
//! A port from the ephemeral range (32768 and up) can be taken by any outgoing connection while its broker is down for
//! a restart test, so the lab picks from 15000..31000, at a random start so that several labs do not meet.

use std::net::TcpListener;

use anyhow::{Result, bail};

const FIRST: u16 = 15_000;
const COUNT: u16 = 16_000;

/// `count` different ports that nobody listened on at the time of asking.
///
/// Nothing holds them afterwards: start the listeners soon.
pub(crate) fn pick_free_ports(count: usize) -> Result<Vec<u16>> {
    let start = u16::try_from(uuid::Uuid::new_v4().as_u128() % u128::from(COUNT))?;
    // Kept bound until all are found, so that none is handed out twice.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for step in 0..COUNT {
        let port = FIRST + (start + step) % COUNT;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push(listener);
            ports.push(port);
        }
        if ports.len() == count {
            return Ok(ports);
        }
    }
    bail!("only {} of {count} ports are free between {FIRST} and {}", ports.len(), FIRST + COUNT);
}
