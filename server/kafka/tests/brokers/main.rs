//! The admin client against brokers in this process (`synthetic`), which answer as no real broker can be made to.
#![expect(clippy::unwrap_used, reason = "tests")]

mod routing;
mod synthetic;
mod wire;
