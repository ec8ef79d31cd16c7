//! Each test is a story: who sent what when, and what came out.

use super::*;
use crate::delta::{CellKind, DeltaMap, Formula, GroupKey, Measure, Name, RuleLayout, Window};
use crate::metric::Tags;

const SPAN: Duration = Duration::from_secs(10);

/// Counts, and the largest value, by service, in windows of 10 s.
fn layout() -> Arc<Layout> {
    let measure = |name: &str, formula| Measure {
        name: Name::Plain(name.into()),
        formula,
    };
    Arc::new(Layout {
        groupings: vec![Grouping {
            by: vec!["service".into()],
            window: Window::tumbling(SPAN),
            limit: None,
            cells: vec![CellKind::Count, CellKind::Max],
            rules: vec![RuleLayout {
                name: "http".into(),
                tags: Tags::default(),
                matched: 0,
                measures: vec![
                    measure("http.count", Formula::Count(0)),
                    measure("http.max", Formula::Max(1)),
                ],
            }],
        }],
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
        let mut windows = Windows::new(layout(), settings);
        assert!(windows.advance(at(0)).is_empty());
        Story {
            map: DeltaMap::new(layout(), 1000),
            windows,
            log: Vec::new(),
        }
    }

    /// An event at that second, merged at once.
    fn event(&mut self, service: &str, second: i64, value: f64) -> Merged {
        let mut key = GroupKey::default();
        key.push(Some(service.as_bytes()));
        let start = at(second).floor(SPAN);
        let entry = self.map.entry(GroupingId(0), start, &key).unwrap();
        entry.events += 1;
        entry.row[0].count();
        entry.row[1].sample(value);
        self.windows.merge(self.map.take())
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
fn a_clock_set_back_opens_nothing_again() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    story.advance(12).log();
    assert!(story.advance(0).log().is_empty());
    assert_eq!(story.event("users", 3, 7.0).late, 1);
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
fn a_series_beyond_the_limit_is_not_taken_in_and_is_accounted_for() {
    let settings = Settings {
        series_max: 2,
        ..Settings::default()
    };
    let mut story = Story::new(settings);
    assert_eq!(story.event("users", 3, 7.0).counted, 1);
    assert_eq!(story.event("carts", 3, 7.0).over_limit, 1);
    assert_eq!(story.event("users", 4, 7.0).counted, 1);
    assert_eq!(story.advance(12).log(), ["0: users.count=2 users.max=7"]);
}
