//! Requests in, in any parts and any order; the same whole out.

use super::exemplar::{self, KEPT};
use super::*;
use crate::haproxy::Formats;
use crate::rules::{self, Options};
use crate::syslog;
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::sync::Arc;

/// A multiple of ten seconds.
const NOW: i64 = 1_767_268_800;

fn observer(lines: &[String]) -> Observer {
    let rules = rules::load(&rules::bundled(), &Options::default()).unwrap();
    let mut observer = Observer::new(&rules, Arc::new(Formats::default()), TimeZone::UTC, 1);
    for line in lines {
        let weight = observer.weigh().expect("below the pace");
        let now = Timestamp::from_secs(NOW);
        observer.look(&syslog::parse(line.as_bytes()), Some(now), now, weight);
    }
    observer
}

/// A line of `option httplog`: what stands behind the service's name.
fn line(service: &str, rest: &str) -> String {
    format!(
        "<134>1 2026-01-01T12:00:00Z lb1 haproxy 7 - - 10.0.0.1:4000 [01/Jan/2026:12:00:00.000] \
         {service} {rest}"
    )
}

fn only(parts: &Parts) -> Part {
    let all: Vec<_> = parts.iter().collect();
    assert_eq!(all.len(), 1);
    all[0].2.clone()
}

#[test]
fn a_request_is_counted_by_all_that_its_line_says() {
    let (parts, hosts) = observer(&[
        line(
            "Web",
            "api/s1 1/2/3/10/20 200 512 - - --NI 1/1/0/0/0 0/0 \"GET /v1/users/17?a=1 HTTP/1.1\"",
        ),
        line(
            "web",
            "api/s1 0/0/3/-1/9003 504 512 - - sH-- 1/1/0/0/0 0/0 \"GET /v1/users/18 HTTP/1.1\"",
        ),
        line(
            "web",
            "web/<NOSRV> -1/-1/-1/-1/5000 408 212 - - cR-- 1/1/0/0/0 0/0 \"<BADREQ>\"",
        ),
    ])
    .take();
    assert!(!hosts.is_empty());
    let part = only(&parts);
    assert_eq!((parts.requests(), parts.looked()), (3, 3));
    assert_eq!(part.curves.status, [0, 1, 0, 1, 1, 0]);
    assert_eq!(part.curves.spent, [5001, 2, 6, 9010, 4, 0]);
    assert_eq!(part.curves.timed, [3, 0]);

    let rows = part.details.routes.rows.iter();
    let told = rows
        .map(|(name, group)| format!("{name}: {} {} {}", group.requests, group.failed, group.max));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [" <BADREQ>: 1 0 5000", "GET /v1/users/:id: 2 1 9003"]
    );
    let server = &part.details.servers.rows["api/s1"];
    assert_eq!((server.group.requests, server.group.failed), (2, 1));
    assert_eq!(server.queue.value(), Some(1.0));
    // The one that never answered has no response time.
    assert_eq!(server.response.value(), Some(10.0));
    let states: Vec<_> = part
        .details
        .terminations
        .rows
        .keys()
        .map(|s| &**s)
        .collect();
    assert_eq!(states, ["--NI", "cR--", "sH--"]);

    let durations = part.details.slowest.iter().map(|e| e.duration);
    assert_eq!(
        durations.collect::<Vec<_>>(),
        [Some(9003), Some(5000), Some(20)]
    );
    assert_eq!(part.details.failing.len(), 1);
    let failing = &part.details.failing[0];
    assert_eq!(failing.path.as_deref(), Some("/v1/users/18"));
    assert_eq!(failing.route.as_deref(), Some("/v1/users/:id"));
    assert_eq!(failing.host.as_deref(), Some("lb1"));
    assert_eq!(failing.client.as_deref(), Some("10.0.0.1"));
}

#[test]
fn what_is_no_request_of_a_service_is_passed_over() {
    let (parts, _) = observer(&["<134>1 - lb1 haproxy 7 - - Proxy web started.".to_owned()]).take();
    assert!(parts.is_empty());
}

#[test]
fn beyond_the_bounds_rows_are_others_and_services_are_counted_as_left_out() {
    let mut parts = Parts::default();
    for service in 0..5_000 {
        match parts.part(NOW, &format!("s{service}")) {
            Some((part, room)) => {
                part.curves.add(Some(200), None, false, 1);
                for route in 0..10 {
                    let row = part.details.routes.row(&format!("GET /{route}"), room);
                    row.add(Some(1), false, 1);
                }
            }
            None => parts.left_out += 1,
        }
    }
    assert_eq!((parts.requests(), parts.left_out), (4_000, 1_000));
    let rows: usize = parts.iter().map(|(_, _, part)| part.details.rows()).sum();
    assert_eq!(rows, 20_000);
    let others: u64 = parts
        .iter()
        .map(|(_, _, p)| p.details.routes.other.requests)
        .sum();
    assert_eq!(others, 20_000);

    // Merging keeps to the same bounds, and loses none.
    let mut more = Parts::default();
    let (part, room) = more.part(NOW, "s3999").unwrap();
    part.curves.add(Some(200), None, false, 1);
    part.details
        .routes
        .row("GET /new", room)
        .add(None, false, 1);
    let (part, _) = more.part(NOW, "unheard-of").unwrap();
    part.curves.add(Some(200), None, false, 7);
    parts.merge(&more);
    assert_eq!((parts.requests(), parts.left_out), (4_001, 1_007));
    let rows: usize = parts.iter().map(|(_, _, part)| part.details.rows()).sum();
    assert_eq!(rows, 20_000);
}

#[test]
fn a_table_keeps_the_most_requested() {
    let mut details = Details::default();
    let mut room = 1_000;
    for (route, requests) in (0..150u64).zip(1..) {
        let mut more = Details::default();
        let row = more.routes.row(&format!("GET /{route}"), &mut 1);
        row.add(None, false, requests);
        details.merge_within(&more, &mut room);
    }
    assert_eq!(details.routes.rows.len(), 100);
    assert_eq!(room, 900);
    // Requests grow with the number: the last came in, each for the least of the others.
    assert!(details.routes.rows.contains_key("GET /149"));
    assert!(!details.routes.rows.contains_key("GET /0"));
    assert_eq!(details.routes.other.requests, (1..=50).sum::<u64>());
}

#[test]
fn what_is_going_on_stays_and_its_room_is_counted_anew() {
    let mut parts = Parts::default();
    for slot in [NOW - 10, NOW] {
        let (part, room) = parts.part(slot, "web").unwrap();
        part.curves.add(Some(200), None, false, 1);
        part.details.routes.row("GET /", room).add(None, false, 1);
    }
    let taken = parts.take_but(NOW);
    let slots = |parts: &Parts| parts.iter().map(|(slot, ..)| slot).collect::<Vec<_>>();
    assert_eq!((slots(&taken), slots(&parts)), (vec![NOW - 10], vec![NOW]));
    parts.merge(&taken);
    assert_eq!(slots(&parts), [NOW - 10, NOW]);
    assert!(!parts.take_but(NOW + 10).is_empty() && parts.is_empty());
}

fn exemplar(time: i64, duration: u64, path: &str) -> Exemplar {
    Exemplar {
        time,
        duration: Some(duration),
        path: Some(path.into()),
        ..Exemplar::default()
    }
}

#[test]
fn examples_are_the_slowest_and_the_newest() {
    let (mut slow, mut new) = (Vec::new(), Vec::new());
    for n in 0..20 {
        let one = exemplar(1_000 * (n / 4) + n, (n as u64 * 7) % 20, "/");
        for (kept, order) in [(&mut slow, slowest as exemplar::Order), (&mut new, newest)] {
            // Whether it is worth a look is never answered with no for one that enters.
            let could = exemplar::could_enter(kept, one.time, one.duration, order);
            let before = kept.clone();
            exemplar::enter(kept, one.clone(), order);
            assert!(could || *kept == before);
            assert!(kept.len() <= KEPT);
        }
    }
    let durations: Vec<_> = slow.iter().filter_map(|e| e.duration).collect();
    assert_eq!(durations, [19, 18, 17, 16, 15]);
    // The newest second, and in it the first.
    let times: Vec<_> = new.iter().map(|e| e.time).collect();
    assert_eq!(times, [4016, 4017, 4018, 4019, 3012]);
}

#[test]
fn texts_are_cut_at_characters_and_have_no_control_characters() {
    for (bytes, max, want) in [
        (&b"short"[..], 10, "short"),
        (b"four", 4, "four"),
        ("öö".as_bytes(), 3, "ö"),
        (b"a\x1b[31mb\n", 20, "a\u{fffd}[31mb\u{fffd}"),
        (b"\xff!", 10, "\u{fffd}!"),
    ] {
        assert_eq!(&*exemplar::text(bytes, max), want);
    }
}

#[test]
fn records_are_read_back_and_damage_is_told() {
    let part = only(
        &observer(&[line(
            "web",
            "api/s1 0/0/3/-1/9003 504 512 - - sH-- 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\"",
        )])
        .take()
        .0,
    );
    let (curves, details) = (
        part.curves.encode().unwrap(),
        part.details.encode().unwrap(),
    );
    assert_eq!(Curves::decode(&curves), Ok(part.curves));
    assert_eq!(Details::decode(&details), Ok(part.details));
    for end in 0..curves.len() {
        assert_eq!(Curves::decode(&curves[..end]), Err(Damaged));
    }
    for end in 0..details.len() {
        assert_eq!(Details::decode(&details[..end]), Err(Damaged));
    }
    for bytes in [&curves, &details] {
        let mut later = bytes.clone();
        later[0] += 1;
        assert_eq!(Curves::decode(&later), Err(Damaged));
        assert_eq!(Details::decode(&later), Err(Damaged));
    }
    // It says that it becomes more than any record is.
    let mut huge = details;
    huge[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Details::decode(&huge), Err(Damaged));
}

/// A request: service, slot, status, duration, route, server.
type Asked = (u8, u8, i64, u64, u8, u8);

fn add(parts: &mut Parts, asked: &Asked) {
    let &(service, slot, status, duration, route, server) = asked;
    let slot = NOW + SLOT * i64::from(slot);
    let (part, room) = parts.part(slot, &format!("s{service}")).unwrap();
    let time = (duration, [Some(duration), None, None, None, None, None]);
    part.curves.add(Some(status), Some(&time), false, 1);
    let details = &mut part.details;
    let name = format!("GET /{route}");
    details
        .routes
        .row(&name, room)
        .add(Some(duration), status >= 500, 1);
    let row = details.servers.row(&format!("b/{server}"), room);
    row.group.add(Some(duration), false, 1);
    row.queue.add(Some(duration as i64), 1);
    *details.terminations.row("----", room) += 1;
    let one = exemplar(slot * 1000 + duration as i64, duration, &name);
    exemplar::enter(&mut details.slowest, one.clone(), slowest);
    exemplar::enter(&mut details.failing, one, newest);
}

proptest! {
    #[test]
    fn parts_in_any_order_are_the_same_whole(
        asked in prop::collection::vec(
            (0u8..3, 0u8..3, 100i64..600, 0u64..2000, 0u8..5, 0u8..4), 0..60),
        cuts in prop::collection::vec(0usize..4, 60),
        reverse in any::<bool>(),
    ) {
        let mut whole = Parts::default();
        let mut pieces = vec![Parts::default(); 4];
        for (one, piece) in asked.iter().zip(cuts) {
            add(&mut whole, one);
            add(&mut pieces[piece], one);
        }
        if reverse {
            pieces.reverse();
        }
        let mut merged = Parts::default();
        pieces.iter().for_each(|piece| merged.merge(piece));
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn no_bytes_make_a_record_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        format in 0u8..3,
    ) {
        let mut bytes = bytes;
        bytes.insert(0, format);
        if let Ok(mut curves) = Curves::decode(&bytes) {
            let same = curves.clone();
            curves.merge(&same);
            curves.latency.quantile(0.95, u64::MAX);
        }
        if let Ok(mut details) = Details::decode(&bytes) {
            let same = details.clone();
            details.merge(&same);
        }
    }
}
