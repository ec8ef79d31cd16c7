//! The variables that a configuration file sees.

use crate::haproxy::built_in;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;

/// The environment given, and what HAProxy and the file have changed in it.
pub(super) struct Environment<'a> {
    given: &'a dyn Fn(&str) -> Option<OsString>,
    /// Set, or unset where `None`.
    changed: HashMap<String, Option<Vec<u8>>>,
    /// After `resetenv`, the only given ones that are left.
    kept: Option<HashSet<String>>,
}

impl<'a> Environment<'a> {
    /// HAProxy sets the variables of its formats itself, whatever was given. One as old
    /// as 2.6 does not, but then nobody uses them.
    pub fn new(given: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        let formats = [
            ("HAPROXY_HTTP_LOG_FMT", built_in::HTTPLOG),
            ("HAPROXY_HTTP_CLF_LOG_FMT", built_in::HTTPLOG_CLF),
            ("HAPROXY_HTTPS_LOG_FMT", built_in::HTTPSLOG),
            ("HAPROXY_TCP_LOG_FMT", built_in::TCPLOG),
            ("HAPROXY_TCP_CLF_LOG_FMT", built_in::TCPLOG_CLF),
        ];
        let changed = formats
            .iter()
            .map(|(name, value)| (String::from(*name), Some(value.as_bytes().to_vec())))
            .collect();
        Environment {
            given,
            changed,
            kept: None,
        }
    }

    pub fn get(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        if let Some(value) = self.changed.get(name) {
            return value.as_deref().map(Cow::Borrowed);
        }
        if self.kept.as_ref().is_some_and(|kept| !kept.contains(name)) {
            return None;
        }
        // No environment has such names, and the system may not like being asked.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        (self.given)(name).map(|value| Cow::Owned(value.into_encoded_bytes()))
    }

    /// `setenv`.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        self.changed.insert(name.into(), Some(value.to_vec()));
    }

    /// `presetenv`: only where there is none.
    pub fn preset(&mut self, name: &str, value: &[u8]) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    /// `unsetenv`.
    pub fn unset(&mut self, name: &str) {
        self.changed.insert(name.into(), None);
    }

    /// `resetenv`: only the named ones stay.
    pub fn reset(&mut self, stay: HashSet<String>) {
        self.changed.retain(|name, _| stay.contains(name));
        self.kept = Some(match self.kept.take() {
            Some(kept) => kept.intersection(&stay).cloned().collect(),
            None => stay,
        });
    }
}
