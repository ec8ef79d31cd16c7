//! Windows that go on from a checkpoint, with and without an outage before.

use super::*;
use crate::checkpoint::{Changes, Checkpoint};

/// What a checkpoint has after those changes.
fn apply(checkpoint: &mut Checkpoint, changes: Changes) {
    let mut panes: BTreeMap<_, _> = std::mem::take(&mut checkpoint.panes).into_iter().collect();
    if changes.whole {
        panes.clear();
    }
    for (pane, rows) in changes.panes {
        match rows {
            Some(rows) => panes.insert(pane, rows),
            None => panes.remove(&pane),
        };
    }
    checkpoint.head = changes.head;
    checkpoint.panes = panes.into_iter().collect();
}

impl Story {
    fn checkpoint(&mut self, second: i64) -> Checkpoint {
        self.advance(second);
        let mut checkpoint = Checkpoint::default();
        apply(&mut checkpoint, self.windows.snapshot(at(second), false));
        checkpoint
    }

    fn restore(&mut self, checkpoint: &Checkpoint, second: i64) {
        let (layout, settings) = (Arc::clone(&self.windows.layout), self.windows.settings);
        self.windows = Windows::restore(layout, settings, checkpoint, at(second)).unwrap();
    }
}

#[test]
fn windows_go_on_from_a_checkpoint_and_say_no_zero_of_the_time_between() {
    let mut story = Story::new(Settings::default());
    for service in ["users", "carts"] {
        story.event(service, 3, 7.0);
        story.event(service, 13, 8.0);
    }
    let checkpoint = story.checkpoint(15);
    assert_eq!(story.log().len(), 1);
    story.event("users", 16, 100.0);
    story.restore(&checkpoint, 38);
    // What was late when it was killed is not counted any more: it is lost.
    assert_eq!(story.windows.series(), 4);
    assert_eq!(story.event("users", 38, 5.0).counted, 1);
    assert_eq!(
        story.advance(39).log(),
        [""; 0],
        "senders have the grace to come back"
    );
    assert_eq!(story.event("users", 17, 6.0).counted, 1);
    assert_eq!(
        story.advance(42).log(),
        [
            "10: carts.count=1 carts.max=8 users.count=2 users.max=8",
            "30: users.count=1 users.max=5",
        ]
    );
    story.event("users", 22, 1.0);
    assert_eq!(
        story.advance(53).log(),
        [
            "20 again: users.count=1 users.max=1",
            "40: carts.count=0 users.count=0"
        ]
    );
}

#[test]
fn what_is_late_while_senders_come_back_is_told_after_one_more_kill() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    let checkpoint = story.checkpoint(15);
    story.restore(&checkpoint, 20);
    assert_eq!(story.event("users", 4, 9.0).late, 1);
    let checkpoint = story.checkpoint(21);
    story.restore(&checkpoint, 22);
    assert_eq!(story.log(), ["0: users.count=1 users.max=7"]);
    assert_eq!(
        story.advance(24).log(),
        ["0 again: users.count=2 users.max=9"]
    );
}

#[test]
fn a_rule_loaded_over_a_restart_has_the_rate_of_what_was_kept() {
    let with_rate = |rules: &[&str]| {
        let mut layout = grouping(Window::tumbling(SPAN), None);
        (layout.cells, layout.rules) = (Vec::new(), Vec::new());
        for (place, rule) in rules.iter().enumerate() {
            add_rule(&mut layout, rule);
            layout.rules[place].measures = vec![Measure {
                name: Name::Plain((*rule).into()),
                output: Output::Value(Formula::Rate(2 * place)),
            }];
        }
        of(layout)
    };
    let settings = Settings {
        grace: Duration::from_secs(1),
        ..Settings::default()
    };
    let mut story = Story::of(with_rate(&["old"]), settings);
    // Two a second. It is killed at 8, started at 12, and 4 to 14 come from those who kept it;
    // with them some that were long under way.
    let two = |story: &mut Story, seconds: std::ops::Range<i64>| {
        for second in seconds {
            story.event("users", second, 1.0);
            story.event("users", second, 1.0);
        }
    };
    two(&mut story, 0..4);
    let checkpoint = story.checkpoint(4);
    let layout = with_rate(&["old", "new"]);
    story.windows = Windows::restore(Arc::clone(&layout), settings, &checkpoint, at(12)).unwrap();
    story.map = DeltaMap::new(layout, 1000).beginning_at(at(12));
    two(&mut story, 4..14);
    story.event("users", -300, 1.0);
    let closed = story.windows.advance(at(13));
    let value = |closed: &[ClosedWindow], name: &str| {
        let all = closed.iter().flat_map(|window| &window.measurements);
        let found = all.filter(|m| m.time == at(0) && &*m.series.name == name);
        found.map(|m| m.value).collect::<Vec<_>>()
    };
    assert_eq!(value(&closed, "old"), [2.0]);
    // It has seen six seconds of the window, and twelve events.
    assert_eq!(value(&closed, "new"), [2.0]);
}

#[test]
fn what_was_forgotten_is_not_told_anew_when_windows_can_be_amended_longer() {
    let settings = Settings {
        amend_for: Duration::from_secs(5),
        ..Settings::default()
    };
    let mut story = Story::new(settings);
    story.event("users", 3, 7.0);
    story.event("users", 13, 7.0);
    let checkpoint = story.checkpoint(27);
    let longer = Settings::default();
    story.windows = Windows::restore(layout(), longer, &checkpoint, at(28)).unwrap();
    assert_eq!(story.event("users", 4, 1.0).too_late, 1);
    assert_eq!(story.event("users", 24, 1.0).counted, 1);
}

#[test]
fn windows_wait_until_the_journal_has_been_read() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    let checkpoint = story.checkpoint(5);
    story.restore(&checkpoint, 20);
    // Meanwhile nobody asks them to close.
    story.event("users", 7, 7.0);
    story.windows.caught_up(at(30));
    assert_eq!(story.advance(31).log(), [""; 0]);
    assert_eq!(story.advance(32).log(), ["0: users.count=2 users.max=7"]);
}

#[test]
fn a_checkpoint_of_other_rules_gives_what_both_have() {
    let mut layout = grouping(Window::tumbling(SPAN), None);
    let mut story = Story::of(of(layout.clone()), Settings::default());
    story.event("users", 3, 7.0);
    let checkpoint = story.checkpoint(5);
    add_rule(&mut layout, "more");
    let settings = Settings::default();
    let layout = of(layout);
    let mut windows = Windows::restore(Arc::clone(&layout), settings, &checkpoint, at(6)).unwrap();
    assert_eq!(windows.series(), 2);
    let closed = windows.advance(at(12));
    assert_eq!(story.note(closed).log(), ["0: users.count=1 users.max=7"]);
    // Another version computes the same rule by other cells.
    let mut other = Layout::clone(&layout);
    other.groupings[0].cells[1] = CellKind::Min;
    let refused = Windows::restore(Arc::new(other), settings, &checkpoint, at(6));
    assert!(refused.is_err());
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let mut story = Story::new(Settings::default());
    story.event("users", 3, 7.0);
    let good = story.checkpoint(5);
    let restore = |checkpoint: &Checkpoint| {
        let windows = Windows::restore(layout(), Settings::default(), checkpoint, at(6));
        windows.err().map(|why| why.to_string())
    };
    assert_eq!(restore(&good), None);
    let changed = |change: fn(&mut Checkpoint)| {
        let mut checkpoint = good.clone();
        change(&mut checkpoint);
        restore(&checkpoint).unwrap_or_default()
    };
    assert_eq!(changed(|c| c.head.clear()), "it has no beginning");
    assert_eq!(
        changed(|c| c.head[0] = 99),
        "its windows are in version 99, but this weir reads version 1"
    );
    assert!(changed(|c| c.head.truncate(9)).starts_with("it cannot be read"));
    assert!(changed(|c| c.panes[0].1.truncate(3)).starts_with("it cannot be read"));
    assert_eq!(changed(|c| c.panes[0].0.0 = 7), "a pane has no grouping");
}

proptest! {
    /// Killed and started again at any moment, with nothing lost between: it does not show.
    #[test]
    fn kills_do_not_show(
        events in prop::collection::vec((0i64..240, 0usize..4, 0i64..60, 1u8..100), 1..60),
        kills in prop::collection::vec(any::<bool>(), 60),
        snapshots in prop::collection::vec(any::<bool>(), 60),
        slides: bool,
        limit in prop::option::of(1usize..4),
    ) {
        let window = match slides {
            true => Window { span: SPAN * 2, every: SPAN },
            false => Window::tumbling(SPAN),
        };
        let layout = of(grouping(window, limit));
        let settings = Settings {
            amend_for: Duration::from_secs(100),
            expire_after: Duration::from_secs(40),
            grace: Duration::ZERO,
            ..Settings::default()
        };
        let outcome = |killed: bool| {
            let mut story = Story::of(Arc::clone(&layout), settings);
            let mut arrivals = events.clone();
            arrivals.sort_by_key(|(second, _, delay, _)| second + delay);
            let (mut closed, mut checkpoint) = (Vec::new(), Checkpoint::default());
            for (i, (second, service, delay, value)) in arrivals.into_iter().enumerate() {
                let now = second + delay;
                closed.extend(story.windows.advance(at(now)));
                story.event(["a", "b", "c", "d"][service], second, value.into());
                closed.extend(story.windows.advance(at(now)));
                if killed && (snapshots[i] || kills[i]) {
                    apply(&mut checkpoint, story.windows.snapshot(at(now), false));
                }
                if killed && kills[i] {
                    story.restore(&checkpoint, now);
                }
            }
            closed.extend(story.windows.advance(at(310)));
            told(&mut story.windows, closed)
        };
        prop_assert_eq!(outcome(false), outcome(true));
    }
}
