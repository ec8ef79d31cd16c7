//! weir: HAProxy's logs in, rates and latency percentiles per service out.
//!
//! ```text
//! bytes -> Frame -> Message -> Event -> Delta -> ClosedWindow -> Measurement -> delivery
//!          input    syslog     haproxy  rules    window          sink
//! ```
//!
//! Each stage owns the type that leaves it; the next stage imports that type and
//! the one before never hears of it. `time` and `metric` are shared leaves.

pub mod account;
pub mod boards;
pub mod breakdown;
pub mod checkpoint;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod dashboard;
pub mod delta;
pub mod demo;
#[cfg(test)]
mod disk;
pub mod event_time;
pub mod guard;
pub mod haproxy;
pub mod http;
pub mod inode;
pub mod input;
pub mod load;
pub mod memory;
pub mod metric;
pub mod names;
pub mod notices;
pub mod pipeline;
pub mod processor;
pub mod rare;
pub mod rejects;
pub mod reload;
pub mod replay;
pub mod rule_tests;
pub mod rules;
pub mod schema;
pub mod sink;
pub mod skew;
pub mod source;
pub mod store;
pub mod supervisor;
pub mod syslog;
pub mod telemetry;
pub mod time;
pub mod top;
pub mod window;
pub mod worker;
pub mod yaml;
