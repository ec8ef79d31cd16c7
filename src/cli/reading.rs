//! What lines are read by, as arguments and configuration say it.

use super::{Failure, load};
use crate::config::{Config, LogFormats};
use crate::haproxy::{self, FieldNames};
use crate::rules::Service;
use crate::source::Placed;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Default, clap::Args)]
pub struct Options {
    /// The configuration whose formats, time zone, service and limits hold [default: none]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The log-format that the lines have [default: the configured ones, else HAProxy's own]
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    log_format: Option<String>,
    /// The haproxy.cfg whose formats the lines have
    #[arg(long, value_name = "FILE", conflicts_with = "log_format")]
    haproxy_config: Option<PathBuf>,
}

/// What every layer reads by.
pub struct Reading {
    pub config: Config,
    pub haproxy: haproxy::Parser,
    pub service: Service,
    /// What rules may name beside fields.
    pub names: FieldNames,
}

impl Options {
    /// The configuration, with the formats that the arguments name instead of its own.
    pub fn config(&self) -> Result<Config, Failure> {
        let mut config = load::config(self.config.as_deref())?;
        if let Some(format) = &self.log_format {
            config.haproxy.formats = LogFormats::One(Placed::whole("--log-format", format));
        }
        if let Some(file) = &self.haproxy_config {
            config.haproxy.formats = LogFormats::Haproxy(file.clone());
        }
        Ok(config)
    }

    pub fn load(&self) -> Result<Reading, Failure> {
        let config = self.config()?;
        let (formats, service) =
            load::with_formats(&config, |names| load::service(&config, names))?;
        let names = formats.names();
        let timezone = config.haproxy.timezone.clone();
        Ok(Reading {
            config,
            haproxy: haproxy::Parser::new(Arc::new(formats), timezone),
            service,
            names,
        })
    }
}
