//! The admin client against brokers in this process (`synthetic`), which answer as no real broker can be made to.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a script names the requests it bends and leaves the rest"
)]

mod closings;
mod fetching;
mod routing;
mod secured;
mod short_logs;
mod wire;
