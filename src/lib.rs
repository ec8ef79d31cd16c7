//! weir: HAProxy logs in, per-service rates and latencies out.

pub mod clock;
pub mod dashboard;
pub mod http;
pub mod metric;
pub mod store;
pub mod time;
