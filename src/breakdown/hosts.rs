//! From which hosts lines come, by what their envelopes say.

use super::exemplar::text;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Hosts that are told.
const SHOWN: usize = 64;

/// Hosts that are told apart in a second; lines of further ones are of others.
const HOSTS_MAX: usize = 1_024;

/// Seconds for which lines are counted.
const SPAN: i64 = 60;

/// Bytes of a host's name.
const NAME_MAX: usize = 255;

/// Lines by host, of a second or less. Those of hosts without a name have an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostCounts {
    lines: HashMap<Box<[u8]>, u64>,
    others: u64,
}

impl HostCounts {
    pub fn add(&mut self, host: Option<&[u8]>, lines: u64) {
        let host = host.unwrap_or_default();
        if let Some(known) = self.lines.get_mut(host) {
            *known += lines;
        } else if self.lines.len() < HOSTS_MAX {
            self.lines.insert(host.into(), lines);
        } else {
            self.others += lines;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Lines by host, of the last minute. Written by whoever takes what workers hand on, read by
/// the HTTP server.
#[derive(Debug, Default)]
pub struct Hosts(Mutex<LastMinute>);

#[derive(Debug, Default)]
struct LastMinute {
    /// By second, the oldest first.
    seconds: VecDeque<(i64, HostCounts)>,
    /// Since when it counts, in epoch seconds.
    began: Option<i64>,
}

/// Lines by host, for the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostsView {
    /// Since when the lines were counted, in epoch seconds: a minute ago, or since weir started.
    pub since: Option<i64>,
    /// The most lines first.
    pub hosts: Vec<HostRow>,
    /// Lines of further hosts.
    pub others: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostRow {
    /// Empty: the envelope has none.
    pub host: Box<str>,
    pub lines: u64,
    /// When lines of it were handed on last, in epoch seconds.
    pub last: i64,
}

impl Hosts {
    /// It counts from now on.
    pub fn begin(&self, now: i64) {
        self.lock().began = Some(now);
    }

    /// Takes in what came up to `now`, in epoch seconds.
    pub fn add(&self, counts: HostCounts, now: i64) {
        let mut own = self.lock();
        own.forget(now);
        match own.seconds.back_mut() {
            Some((second, known)) if *second == now => {
                known.others += counts.others;
                for (host, lines) in counts.lines {
                    known.add(Some(&host), lines);
                }
            }
            _ => own.seconds.push_back((now, counts)),
        }
    }

    pub fn view(&self, now: i64) -> HostsView {
        let mut own = self.lock();
        own.forget(now);
        let mut by_host: HashMap<&[u8], (u64, i64)> = HashMap::new();
        let mut others = 0;
        for (second, counts) in &own.seconds {
            others += counts.others;
            for (host, lines) in &counts.lines {
                let row = by_host.entry(host).or_default();
                *row = (row.0 + lines, *second);
            }
        }
        let mut rows: Vec<(&[u8], (u64, i64))> = by_host.into_iter().collect();
        rows.sort_by_key(|(host, (lines, _))| (Reverse(*lines), *host));
        let beyond = rows.split_off(rows.len().min(SHOWN));
        others += beyond.iter().map(|(_, (lines, _))| lines).sum::<u64>();
        let hosts = rows.into_iter().map(|(host, (lines, last))| HostRow {
            host: text(host, NAME_MAX),
            lines,
            last,
        });
        HostsView {
            since: own.began.map(|began| began.max(now - SPAN)),
            hosts: hosts.collect(),
            others,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LastMinute> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LastMinute {
    /// By number too: the clock may have been set back.
    fn forget(&mut self, now: i64) {
        while self.seconds.len() > SPAN as usize
            || (self.seconds.front()).is_some_and(|(second, _)| *second <= now - SPAN)
        {
            self.seconds.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(hosts: &Hosts, now: i64) -> Vec<(String, u64, i64)> {
        let rows = hosts.view(now).hosts.into_iter();
        rows.map(|row| (row.host.into(), row.lines, row.last))
            .collect()
    }

    #[test]
    fn lines_of_the_last_minute_are_told_the_most_first() {
        let hosts = Hosts::default();
        assert_eq!(hosts.view(1000).since, None);
        hosts.begin(990);
        for (now, host, lines) in [
            (1000, Some(&b"lb1"[..]), 5),
            (1000, Some(b"lb2"), 7),
            (1030, Some(b"lb1"), 1),
            (1030, None, 1),
        ] {
            let mut counts = HostCounts::default();
            counts.add(host, lines);
            hosts.add(counts, now);
        }
        let row = |host: &str, lines, last| (host.to_owned(), lines, last);
        assert_eq!(hosts.view(1031).since, Some(990));
        assert_eq!(
            told(&hosts, 1059),
            [row("lb2", 7, 1000), row("lb1", 6, 1030), row("", 1, 1030)]
        );
        assert_eq!(hosts.view(1060).since, Some(1000));
        assert_eq!(told(&hosts, 1060), [row("", 1, 1030), row("lb1", 1, 1030)]);
        assert_eq!(told(&hosts, 2000), []);
    }

    #[test]
    fn many_hosts_are_told_up_to_a_bound() {
        let hosts = Hosts::default();
        let mut counts = HostCounts::default();
        for host in 0..2000u32 {
            counts.add(Some(&host.to_be_bytes()), 1);
        }
        hosts.add(counts, 7);
        let view = hosts.view(7);
        assert_eq!((view.hosts.len(), view.others), (64, 2000 - 64));
    }
}
