//! weir as its users meet it: the program is started, fed and asked from outside.
//!
//! One binary holds every end-to-end test, one module per behaviour. A test whose
//! programs are missing says so by name and is skipped; `./test.sh` sets
//! `WEIR_TEST_NO_SKIP=1`, which makes a skip a failure.

mod account;
mod annotations;
mod bench_log;
mod breakdown;
mod cli;
mod clients;
mod dashboards;
mod demo;
mod docker;
mod durability;
mod examples;
mod formats;
mod grafana;
mod haproxy_config;
mod hostile;
mod http_limits;
mod kills;
mod listeners;
mod page;
mod page_service;
mod parse;
mod pipeline;
mod receiver;
mod rejects;
mod reload;
mod relp;
mod replay;
mod rule_tests;
mod shutdown;
mod spaces;
mod spool;
mod support;
mod tls;
mod top;
