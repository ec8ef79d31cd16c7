//! Each test is a story: who sent what when, and what came out.

use super::*;
use crate::delta::{
    CellKind, DeltaMap, Formula, GroupKey, Measure, Name, Output, RuleLayout, Times, Window,
};
use crate::metric::Tags;
use proptest::prelude::*;

mod restarts;

const SPAN: Duration = Duration::from_secs(10);

/// Counts, the rate, and the largest value, by service.
fn grouping(window: Window, limit: Option<usize>) -> Grouping {
    let mut grouping = Grouping {
        by: vec!["service".into()],
        window,
        limit,
        cells: Vec::new(),
        rules: Vec::new(),
    };
    add_rule(&mut grouping, "http");
    grouping
}

fn add_rule(grouping: &mut Grouping, name: &str) {
    let first = grouping.cells.len();
    grouping.cells.extend([CellKind::Count, CellKind::Max]);
    let measure = |measure: &str, formula| Measure {
        name: Name::Plain(format!("{name}.{measure}").into()),
        output: Output::Value(formula),
    };
    grouping.rules.push(RuleLayout {
        name: name.into(),
        tags: Tags::default(),
        definition: format!("{name} {:?}", grouping.window).into(),
        cells: first..first + 2,
        matched: first,
        measures: vec![
            measure("count", Formula::Count(first)),
            measure("max", Formula::Max(first + 1)),
        ],
    });
}

/// In windows of 10 s.
fn layout() -> Arc<Layout> {
    of(grouping(Window::tumbling(SPAN), None))
}

fn of(grouping: Grouping) -> Arc<Layout> {
    Arc::new(Layout {
        groupings: vec![grouping],
    })
}

/// Windows and the log of what left them, in seconds from a round start.
struct Story {
    windows: Windows,
    map: DeltaMap,
    log: Vec<String>,
}

impl Story {
    fn new(settings: Settings) -> Self {
        Story::of(layout(), settings)
    }

    fn of(layout: Arc<Layout>, settings: Settings) -> Self {
        let mut windows = Windows::new(Arc::clone(&layout), settings);
        assert!(windows.advance(at(0)).is_empty());
        Story {
            map: DeltaMap::new(layout, 1000),
            windows,
            log: Vec::new(),
        }
    }

    /// An event at that second, merged at once, that every rule wants.
    fn event(&mut self, service: &str, second: i64, value: f64) -> Merged {
        self.unmerged(service, second, value);
        self.windows.merge(self.map.take())
    }

    fn unmerged(&mut self, service: &str, second: i64, value: f64) {
        let mut key = GroupKey::default();
        key.push(Some(service.as_bytes()));
        let layout = self.map.layout();
        let start = at(second).floor(layout.groupings[0].window.every);
        self.map.note(at(second));
        let entry = self.map.entry(GroupingId(0), start, &key).unwrap();
        entry.events += 1;
        for cell in &mut entry.row[..] {
            cell.count();
            if matches!(cell, crate::delta::Cell::Max(_)) {
                cell.sample(value);
            }
        }
    }

    fn advance(&mut self, second: i64) -> &mut Self {
        let closed = self.windows.advance(at(second));
        self.note(closed)
    }

    fn note(&mut self, closed: Vec<ClosedWindow>) -> &mut Self {
        for window in closed {
            let amended = if window.amended { " again" } else { "" };
            let mut values: Vec<String> = window.measurements.iter().map(show).collect();
            values.sort();
            let start = window.start.as_secs() - at(0).as_secs();
            self.log
                .push(format!("{start}{amended}: {}", values.join(" ")));
        }
        self
    }

    fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(1_767_268_800 + second)
}

fn show(measurement: &Measurement) -> String {
    let (_, service) = &measurement.series.tags[0];
    let name = measurement.series.name.trim_start_matches("http.");
    format!("{service}.{name}={}", measurement.value)
}

#[test]
fn a_window_closes_when_its_grace_is_over() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.event("users", 9, 5.0);
    assert!(story.advance(11).log().is_empty());
    assert_eq!(story.advance(12).log(), ["0: users.count=2 users.max=7"]);
    assert!(story.advance(12).log().is_empty());
}

#[test]
fn a_late_event_amends_its_window_and_a_too_late_one_does_not() {
    let mut story = Story::new(Settings::default());
    let counted = story.event("users", 3, 7.0);
    assert_eq!((counted.counted, counted.late), (1, 0));
    story.event("carts", 3, 1.0);
    story.advance(12).log();

    let late = story.event("users", 4, 9.0);
    assert_eq!((late.counted, late.late), (0, 1));
    assert_eq!(
        story.advance(13).log(),
        ["0 again: users.count=2 users.max=9"]
    );
    assert!(story.advance(14).log().is_empty());

    story.advance(609).log();
    assert_eq!(story.event("users", 4, 9.0).late, 1);
    story.advance(610).log();
    assert_eq!(story.event("users", 4, 9.0).too_late, 1);
    assert!(story.advance(611).log().is_empty());
}

#[test]
fn a_silent_series_counts_zero_until_it_expires_and_invents_no_maximum() {
    let settings = Settings {
        expire_after: Duration::from_secs(20),
        amend_for: Duration::from_secs(20),
        ..Settings::default()
    };
    let mut story = Story::new(settings);
    story.event("users", 3, 7.0);
    assert_eq!(
        story.advance(52).log(),
        [
            "0: users.count=1 users.max=7",
            "10: users.count=0",
            "20: users.count=0"
        ]
    );
    assert_eq!(story.windows.series(), 0);
}

#[test]
fn a_series_says_nothing_of_the_time_before_it_was_first_seen() {
    let mut story = Story::new(Settings::default());
    story.event("users", 11, 7.0);
    assert!(story.advance(12).log().is_empty());
    assert_eq!(story.advance(22).log(), ["10: users.count=1 users.max=7"]);
}

#[test]
fn a_long_sleep_costs_no_more_windows_than_series_live() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.advance(12).log();
    let a_year = 365 * 86_400;
    assert_eq!(story.advance(a_year).log().len(), 360, "an hour of zeros");
    story.event("users", a_year + 5, 1.0);
    assert_eq!(story.advance(a_year + 12).log().len(), 1);
}

#[test]
fn a_clock_set_back_by_more_than_is_amended_opens_windows_again() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.advance(12).log();
    // A day ahead, and right again.
    let day = 86_400;
    story.event("users", day + 3, 9.0);
    story.advance(day + 12).log();
    story.advance(20);
    // It was told and forgotten, with more than this perhaps.
    assert_eq!(story.event("users", 13, 7.0).too_late, 1);
    assert_eq!(story.event("users", 21, 8.0).counted, 1);
    story.log();
    assert_eq!(story.advance(32).log(), ["20: users.count=1 users.max=8"]);
}

#[test]
fn a_clock_set_back_a_little_opens_nothing_again() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.advance(12).log();
    assert!(story.advance(0).log().is_empty());
    assert_eq!(story.event("users", 3, 7.0).late, 1);
}

#[test]
fn without_memory_new_series_are_among_the_others() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.windows.set_full(true);
    assert_eq!(story.event("users", 4, 7.0).counted, 1);
    assert_eq!(story.event("carts", 4, 7.0).over_limit, 1);
    story.windows.set_full(false);
    assert_eq!(story.event("tax", 5, 7.0).counted, 1);
}

#[test]
fn stopping_closes_open_windows_too() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.event("users", 14, 8.0);
    assert_eq!(story.windows.open(), 2);
    let closed = story.windows.close_all();
    assert_eq!(
        story.note(closed).log(),
        [
            "0: users.count=1 users.max=7",
            "10: users.count=1 users.max=8"
        ]
    );
    assert_eq!(story.windows.open(), 0);
}

#[test]
fn events_of_a_series_beyond_the_limit_are_among_the_others() {
    let settings = Settings {
        series_max: 2,
        ..Settings::default()
    };
    let mut story = Story::new(settings);
    assert_eq!(story.event("users", 3, 7.0).counted, 1);
    for service in ["carts", "tax"] {
        assert_eq!(story.event(service, 3, 9.0).over_limit, 1);
    }
    assert_eq!(story.event("users", 4, 7.0).counted, 1);
    assert_eq!(
        story.advance(12).log(),
        ["0: other.count=2 other.max=9 users.count=2 users.max=7"]
    );
    let counted: Vec<_> = story.windows.take_over_limit().into_iter().collect();
    assert_eq!(counted, [("http".into(), 2)]);
    assert!(story.windows.take_over_limit().is_empty());
    // Those that are called so have the same series, and so are the same group.
    story.event("other", 13, 1.0);
    assert_eq!(
        story.advance(22).log(),
        ["10: other.count=1 other.max=1 users.count=0"]
    );
}

#[test]
fn a_new_path_each_time_takes_no_more_room_than_the_limit() {
    let settings = Settings {
        series_max: 100,
        ..Settings::default()
    };
    let mut story = Story::new(settings);
    for n in 0..100_000 {
        story.unmerged(&n.to_string(), n / 5_000, 1.0);
        if n % 500 == 0 {
            story.windows.merge(story.map.take());
        }
    }
    story.windows.merge(story.map.take());
    assert!(story.windows.series() <= 100 + 2);
    assert!(
        story.windows.rows() <= 2 * (50 + 1),
        "{}",
        story.windows.rows()
    );
    let closed = story.windows.advance(at(22));
    let counts = closed.iter().flat_map(|window| &window.measurements);
    let counts = counts.filter(|m| &*m.series.name == "http.count");
    assert_eq!(counts.map(|m| m.value).sum::<f64>(), 100_000.0);
}

#[test]
fn a_limit_keeps_the_largest_groups_and_counts_the_rest_together() {
    let mut story = Story::of(
        of(grouping(Window::tumbling(SPAN), Some(2))),
        Settings::default(),
    );
    for (service, events) in [("a", 1), ("b", 3), ("c", 2), ("d", 2)] {
        for _ in 0..events {
            assert_eq!(story.event(service, 3, 1.0).counted, 1);
        }
    }
    assert_eq!(
        story.advance(12).log(),
        ["0: b.count=3 b.max=1 c.count=2 c.max=1 other.count=3 other.max=1"]
    );
    // Who has a place keeps it, and late events find theirs.
    assert_eq!(story.event("a", 4, 5.0).late, 1);
    assert_eq!(story.event("c", 4, 6.0).late, 1);
    story.event("d", 13, 8.0);
    assert_eq!(
        story.advance(22).log(),
        [
            "0 again: c.count=3 c.max=6 other.count=4 other.max=5",
            "10: b.count=0 c.count=0 other.count=1 other.max=8"
        ]
    );
    assert_eq!(story.windows.series(), 6);
    // A place is free again when its group has expired.
    story.advance(5_000).log();
    story.event("d", 5_001, 8.0);
    assert_eq!(story.advance(5_012).log(), ["5000: d.count=1 d.max=8"]);
}

#[test]
fn groups_that_wait_for_a_place_take_no_room_from_others() {
    let mut both = grouping(Window::tumbling(SPAN), Some(2));
    both.rules[0].definition = "limited".into();
    let layout = Arc::new(Layout {
        groupings: vec![both, grouping(Window::tumbling(SPAN), None)],
    });
    let settings = Settings {
        series_max: 100,
        ..Settings::default()
    };
    let mut story = Story::of(layout, settings);
    // The one that is asked for most comes last.
    for n in 0..900 {
        story.event(&n.to_string(), 3, 1.0);
    }
    (0..5).for_each(|_| _ = story.event("real", 4, 1.0));
    assert_eq!(story.windows.series(), 0);
    let mut entries = {
        story.unmerged("users", 3, 1.0);
        story.map.take()
    };
    entries.entries[0].grouping = GroupingId(1);
    assert_eq!(story.windows.merge(entries).counted, 1);
    assert_eq!(
        story.advance(12).log(),
        [
            "0: 0.count=1 0.max=1 other.count=899 other.max=1 real.count=5 real.max=1",
            "0: users.count=1 users.max=1"
        ]
    );
    assert_eq!(story.windows.series(), 8);
    // There is a bound to waiting, too.
    for n in 0..10_000 {
        assert_eq!(story.event(&n.to_string(), 13, 1.0).counted, 1);
    }
    assert_eq!(story.windows.rows(), 4 + 1_000 + 2);
}

#[test]
fn a_rule_without_groups_has_no_others() {
    let mut alone = grouping(Window::tumbling(SPAN), None);
    alone.by.clear();
    let settings = Settings {
        series_max: 1,
        ..Settings::default()
    };
    let mut windows = Windows::new(of(alone.clone()), settings);
    let mut map = DeltaMap::new(of(alone), 0);
    for _ in 0..3 {
        let entry = map.entry(GroupingId(0), at(0), &GroupKey::default());
        let entry = entry.unwrap();
        entry.events += 1;
        entry.row[0].count();
        assert_eq!(windows.merge(map.take()).counted, 1);
    }
    let closed = windows.close_all();
    let values: Vec<_> = closed.iter().flat_map(|w| &w.measurements).collect();
    assert_eq!((values.len(), values[0].value), (1, 3.0));
}

#[test]
fn a_rule_that_is_loaded_says_nothing_of_windows_before_it() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.advance(12).log();
    let mut changed = grouping(Window::tumbling(SPAN), None);
    changed.rules[0].definition = "changed".into();
    let changed = of(changed);
    story.windows.reload(Arc::clone(&changed), at(15));
    story.map = DeltaMap::new(changed, 10);
    // What was told of that window is by more than this one.
    story.event("users", 4, 7.0);
    story.event("users", 16, 8.0);
    assert_eq!(story.advance(22).log(), ["10: users.count=1 users.max=8"]);
}

#[test]
fn a_sliding_window_is_told_at_each_step() {
    let window = Window {
        span: Duration::from_secs(30),
        every: SPAN,
    };
    let mut story = Story::of(of(grouping(window, None)), Settings::default());
    story.event("users", 3, 7.0);
    story.event("users", 15, 5.0);
    assert!(story.advance(11).log().is_empty());
    assert_eq!(
        story.advance(32).log(),
        [
            "-20: users.count=1 users.max=7",
            "-10: users.count=2 users.max=7",
            "0: users.count=2 users.max=7"
        ]
    );
    assert_eq!(story.event("users", 14, 9.0).late, 1);
    assert_eq!(
        story.advance(52).log(),
        [
            "-10 again: users.count=3 users.max=9",
            "0 again: users.count=3 users.max=9",
            "10: users.count=2 users.max=9",
            "20: users.count=0"
        ]
    );
}

#[test]
fn a_late_first_event_fills_the_silence_after_it() {
    let mut story = Story::new(Settings::default());
    story.event("carts", 3, 1.0);
    story.advance(42).log();
    assert_eq!(story.event("users", 14, 9.0).late, 1);
    assert_eq!(
        story.advance(52).log(),
        [
            "10 again: users.count=1 users.max=9",
            "20 again: users.count=0",
            "30 again: users.count=0",
            "40: carts.count=0 users.count=0"
        ]
    );
}

#[test]
fn many_late_groups_fill_many_windows_of_silence() {
    let second = Duration::from_secs(1);
    let mut story = Story::of(
        of(grouping(Window::tumbling(second), None)),
        Settings::default(),
    );
    (0..585).for_each(|n| _ = story.event("old", n, 1.0));
    story.advance(587).log();
    for n in 0..200 {
        story.unmerged(&n.to_string(), 5, 1.0);
    }
    assert_eq!(story.windows.merge(story.map.take()).late, 200);
    let closed = story.windows.advance(at(588));
    let counts = closed.iter().filter(|window| window.amended);
    let counts = counts.map(|w| {
        w.measurements
            .iter()
            .filter(|m| &*m.series.name == "http.count")
            .count()
    });
    // Its own window, and the 579 closed ones after it.
    assert_eq!(counts.collect::<Vec<_>>(), [200; 580]);
}

#[test]
fn the_window_in_which_weir_starts_is_not_too_low() {
    let rate = |story: &mut Story| {
        let mut closed = story.windows.advance(at(22));
        closed.extend(story.windows.advance(at(32)));
        let values = closed.iter().flat_map(|window| &window.measurements);
        values
            .map(|m| {
                format!(
                    "{} {}={}",
                    m.time.as_secs() - at(0).as_secs(),
                    m.series.name,
                    m.value
                )
            })
            .collect::<Vec<_>>()
    };
    let mut rates = grouping(Window::tumbling(SPAN), None);
    rates.rules[0].measures.push(Measure {
        name: Name::Plain("http.rate".into()),
        output: Output::Value(Formula::Rate(0)),
    });
    let layout = of(rates);
    let start = |second: i64| {
        let mut story = Story::of(Arc::clone(&layout), Settings::default());
        story.windows =
            Windows::new(Arc::clone(&layout), Settings::default()).beginning_at(at(second));
        story.windows.advance(at(second));
        story.map = DeltaMap::new(Arc::clone(&layout), 1000).beginning_at(at(second));
        story
    };
    // One a second, of which the last five of the first window were seen.
    let mut story = start(5);
    (5..20).for_each(|second| _ = story.event("users", second, 1.0));
    assert_eq!(
        rate(&mut story),
        [
            "0 http.count=5",
            "0 http.max=1",
            "0 http.rate=1",
            "10 http.count=10",
            "10 http.max=1",
            "10 http.rate=1",
            "20 http.count=0",
            "20 http.rate=0"
        ]
    );
    // The sender kept what came before.
    let mut story = start(15);
    (2..20).for_each(|second| _ = story.event("users", second, 1.0));
    assert_eq!(
        rate(&mut story)[..6],
        [
            "0 http.count=8",
            "0 http.max=1",
            "0 http.rate=1",
            "10 http.count=10",
            "10 http.max=1",
            "10 http.rate=1",
        ]
    );
    // Too little was seen to tell a rate.
    let mut story = start(20);
    story.unmerged("users", 19, 1.0);
    story.windows.merge(Delta {
        before: [Duration::from_millis(500)].into_iter().collect(),
        since: Times {
            events: 20,
            first: at(20),
            last: at(29),
        },
        ..story.map.take()
    });
    assert_eq!(
        rate(&mut story),
        [
            "10 http.count=1",
            "10 http.max=1",
            "20 http.count=0",
            "20 http.rate=0"
        ]
    );
}

#[test]
fn rules_that_stay_keep_their_windows_over_a_reload() {
    let mut two = grouping(Window::tumbling(SPAN), None);
    add_rule(&mut two, "api");
    let before = of(two);
    let mut other = grouping(Window::tumbling(SPAN), None);
    other.rules.clear();
    other.cells.clear();
    add_rule(&mut other, "new");
    add_rule(&mut other, "http");
    let after = Arc::new(Layout {
        groupings: vec![grouping(Window::tumbling(SPAN * 2), None), other],
    });

    let mut story = Story::of(Arc::clone(&before), Settings::default());
    story.event("users", 3, 7.0);
    assert_eq!(
        story.advance(12).log(),
        ["0: users.api.count=1 users.api.max=7 users.count=1 users.max=7"]
    );
    story.event("users", 13, 8.0);
    // Seen by a worker before the reload, merged after it.
    story.unmerged("users", 14, 9.0);
    story.unmerged("users", 4, 5.0);
    let in_flight = story.map.take();
    assert_eq!(story.windows.series(), 4);
    story.windows.reload(Arc::clone(&after), at(15));
    assert_eq!((story.windows.series(), story.windows.open()), (2, 1));
    let merged = story.windows.merge(in_flight);
    assert_eq!((merged.counted, merged.late, merged.skipped), (1, 1, 0));
    assert_eq!(
        story.advance(22).log(),
        [
            "0 again: users.count=2 users.max=7",
            "10: users.count=2 users.max=9"
        ]
    );
    // Nothing that remains wants it.
    story.event("users", 23, 8.0);
    story
        .windows
        .reload(of(grouping(Window::tumbling(SPAN * 3), None)), at(24));
    assert_eq!((story.windows.series(), story.windows.rows()), (0, 0));
    story.map = DeltaMap::new(before, 10);
    assert_eq!(story.event("users", 24, 1.0).skipped, 1);
}

#[test]
fn what_is_settled_is_forgotten() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.event("users", 13, 7.0);
    let closed = story.windows.settle(at(10));
    assert_eq!(story.note(closed).log(), ["0: users.count=1 users.max=7"]);
    assert_eq!(story.windows.rows(), 1);
    assert_eq!(story.event("users", 4, 7.0).too_late, 1);
    assert_eq!(story.event("users", 14, 7.0).counted, 1);
}

/// The value that each series had last in each window.
fn told(windows: &mut Windows, closed: Vec<ClosedWindow>) -> BTreeMap<String, f64> {
    let closed = closed.into_iter().chain(windows.close_all());
    let values = closed.flat_map(|window| window.measurements);
    values
        .map(|m| (format!("{} {}", m.time, m.series), m.value))
        .collect()
}

proptest! {
    /// Lines that come in another order, as late as can still be amended, give the same.
    #[test]
    fn the_order_of_events_does_not_show(
        events in prop::collection::vec((0i64..240, 0usize..3, 0i64..60, 1u8..100), 1..80),
        slides: bool,
    ) {
        let window = match slides {
            true => Window { span: SPAN * 2, every: SPAN },
            false => Window::tumbling(SPAN),
        };
        let layout = of(grouping(window, None));
        let settings = Settings {
            amend_for: Duration::from_secs(100),
            expire_after: Duration::from_secs(40),
            ..Settings::default()
        };
        // Everything before time moves, or each when it comes.
        let outcome = |in_order: bool| {
            let mut story = Story::of(Arc::clone(&layout), settings);
            story.windows = Windows::new(Arc::clone(&layout), settings);
            let mut arrivals = events.clone();
            arrivals.sort_by_key(|(second, _, delay, _)| second + if in_order { 0 } else { *delay });
            let mut closed = Vec::new();
            for (second, service, delay, value) in arrivals {
                let service = ["a", "b", "c"][service];
                if !in_order {
                    closed.extend(story.windows.advance(at(second + delay)));
                }
                let merged = story.event(service, second, value.into());
                assert_eq!((merged.too_late, merged.over_limit), (0, 0));
            }
            closed.extend(story.windows.advance(at(310)));
            told(&mut story.windows, closed)
        };
        prop_assert_eq!(outcome(true), outcome(false));
    }
}
