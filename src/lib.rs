//! weir: HAProxy's logs in, rates and latency percentiles per service out.
//!
//! ```text
//! bytes -> Frame -> Message -> Event -> Delta -> ClosedWindow -> Measurement -> delivery
//!          input    syslog     haproxy  rules    window          sink
//! ```
//!
//! Each stage owns the type that leaves it; the next stage imports that type and
//! the one before never hears of it. `time` and `metric` are shared leaves.

pub mod clock;
pub mod dashboard;
pub mod delta;
pub mod haproxy;
pub mod http;
pub mod input;
pub mod metric;
pub mod rules;
pub mod store;
pub mod syslog;
pub mod time;
pub mod window;
