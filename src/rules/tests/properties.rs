//! What comes out of rules and windows, against the same computed naively.

use super::*;
use crate::delta::Delta;
use crate::time::Timestamp;
use crate::window::{Settings, Windows};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const EVERYTHING: &str = r#"
rules:
  - name: a
    by: [service]
    measure:
      count: count()
      rate: rate()
      errors: ratio(status >= 500)
      apdex: apdex(Tr, 100ms)
      sum: sum(Tr)
      mean: mean(Tr)
      min: min(Tr)
      max: max(Tr)
      stddev: stddev(Tr)
      p50: percentile(Tr, 50)
      p99: percentile(Tr, 99)
      paths: distinct(path)
      failed: 100 * ratio(status >= 500) - 1
      latency: "histogram(Tr, [50, 100])"
      often: top(path, 2)
"#;

/// A request, reduced to what the rules look at.
#[derive(Clone, Debug)]
struct Request {
    second: i64,
    service: &'static str,
    status: i64,
    response: Option<i64>,
    path: String,
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let service = prop::sample::select(vec!["users", "carts"]);
    let status = prop::sample::select(vec![200, 404, 500, 503]);
    let response = prop::option::weighted(0.9, 0i64..1000);
    let request = (0i64..30, service, status, response, 0u32..5).prop_map(
        |(second, service, status, response, path)| Request {
            second,
            service,
            status,
            response,
            path: format!("/{path}"),
        },
    );
    prop::collection::vec(request, 1..200)
}

/// One delta of these requests.
fn delta(rules: &Arc<Rules>, requests: &[Request]) -> Delta {
    let mut evaluator = Evaluator::new(Arc::clone(rules), 1000);
    for request in requests {
        let event = Event {
            frontend: Some(request.service.as_bytes()),
            status: Some(request.status),
            path: Some(request.path.as_bytes()),
            timers: Timers {
                response: request.response,
                ..Timers::NONE
            },
            ..Event::of_kind(Kind::Http)
        };
        evaluator.apply(&event, Timestamp::from_secs(request.second));
    }
    evaluator.take()
}

/// Every value that comes out of deltas, by its window's start and series.
fn values(rules: &Rules, deltas: impl IntoIterator<Item = Delta>) -> BTreeMap<(i64, String), f64> {
    let mut windows = Windows::new(Arc::clone(rules.layout()), Settings::default());
    for delta in deltas {
        windows.merge(delta);
    }
    let measurements = windows.close_all().into_iter().flat_map(|w| w.measurements);
    measurements
        .map(|m| ((m.time.as_secs(), m.series.to_string()), m.value))
        .collect()
}

/// The same without any of our code. Of windows without requests nothing is said.
fn naive(requests: &[Request]) -> BTreeMap<(i64, String), f64> {
    let mut groups: BTreeMap<(i64, &str), Vec<&Request>> = BTreeMap::new();
    for request in requests {
        let start = request.second / 10 * 10;
        groups
            .entry((start, request.service))
            .or_default()
            .push(request);
    }
    let mut values = BTreeMap::new();
    for ((start, service), requests) in groups {
        let mut put = |name: &str, tags: &str, value: f64| {
            values.insert((start, format!("a.{name}{{{tags}}}")), value);
        };
        let own = format!("service={service:?}");
        let n = requests.len() as f64;
        let errors = requests.iter().filter(|r| r.status >= 500).count() as f64;
        put("count", &own, n);
        put("rate", &own, n / 10.0);
        put("errors", &own, errors / n);
        put("failed", &own, 100.0 * (errors / n) - 1.0);
        let mut paths: BTreeMap<&str, usize> = BTreeMap::new();
        for request in &requests {
            *paths.entry(&request.path).or_default() += 1;
        }
        put("paths", &own, paths.len() as f64);
        let mut often: Vec<_> = paths.into_iter().collect();
        often.sort_by_key(|(path, count)| (std::cmp::Reverse(*count), *path));
        for (path, count) in &often[..often.len().min(2)] {
            put("often", &format!("path={path:?},{own}"), *count as f64);
        }
        let mut times: Vec<f64> = requests
            .iter()
            .filter_map(|r| r.response.map(|ms| ms as f64))
            .collect();
        times.sort_by(f64::total_cmp);
        if times.is_empty() {
            continue;
        }
        let n = times.len() as f64;
        let up_to = |bound: f64| times.iter().filter(|t| **t <= bound).count() as f64;
        let sum: f64 = times.iter().sum();
        let distances: f64 = times.iter().map(|t| (t - sum / n).powi(2)).sum();
        let rank = |q: f64| times[((q / 100.0 * n).ceil() as usize).max(1) - 1];
        put(
            "apdex",
            &own,
            (up_to(100.0) + (up_to(400.0) - up_to(100.0)) / 2.0) / n,
        );
        put("sum", &own, sum);
        put("mean", &own, sum / n);
        put("min", &own, times[0]);
        put("max", &own, times[times.len() - 1]);
        put("stddev", &own, (distances / n).sqrt());
        put("p50", &own, rank(50.0));
        put("p99", &own, rank(99.0));
        for (le, count) in [("50", up_to(50.0)), ("100", up_to(100.0)), ("+Inf", n)] {
            put("latency", &format!("le={le:?},{own}"), count);
        }
    }
    values
}

/// What has no requests in its window says 0, which the naive reading leaves out.
fn is_silence(((start, series), value): &(&(i64, String), &f64), requests: &[Request]) -> bool {
    let spoken: BTreeSet<_> = requests
        .iter()
        .map(|r| (r.second / 10 * 10, r.service))
        .collect();
    let service = if series.contains("users") {
        "users"
    } else {
        "carts"
    };
    (**value == 0.0 || **value == -1.0) && !spoken.contains(&(*start, service))
}

proptest! {
    #[test]
    fn every_aggregate_is_what_counting_and_sorting_give(requests in requests()) {
        let rules = Arc::new(loaded(EVERYTHING));
        let got = values(&rules, [delta(&rules, &requests)]);
        let got: BTreeMap<_, _> = got.iter().filter(|said| !is_silence(said, &requests)).collect();
        let want = naive(&requests);
        let names = |of: Vec<&(i64, String)>| format!("{of:#?}");
        prop_assert_eq!(names(got.keys().copied().collect()), names(want.keys().collect()));
        for (key, want) in &want {
            let got = *got[key];
            let near = match key.1.contains(".p") && want > &255.0 {
                // A histogram of more than 64 values.
                true => got >= *want && got <= want * 1.01,
                false => (got - want).abs() <= 1e-3 * want.abs().max(1.0),
            };
            prop_assert!(near, "{key:?}: {got}, not {want}");
        }
    }

    #[test]
    fn merged_deltas_equal_one_delta(
        requests in requests(),
        cuts in prop::collection::vec(0usize..200, 0..5),
    ) {
        let rules = Arc::new(loaded(EVERYTHING));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(requests.len())).collect();
        cuts.extend([0, requests.len()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|cut| delta(&rules, &requests[cut[0]..cut[1]]));
        let parts: Vec<_> = parts.rev().collect();
        // To the bit.
        prop_assert_eq!(values(&rules, parts), values(&rules, [delta(&rules, &requests)]));
    }
}
