//! Lines from around changes of the clocks say when they truly were.

use super::*;
use crate::syslog;
use jiff::Timestamp as Instant;

/// Zones, and when their clocks change in 2026: an hour back and forth, and half an hour.
const CHANGES: [(&str, &str); 6] = [
    ("Europe/Stockholm", "2026-03-29T01:00:00Z"),
    ("Europe/Stockholm", "2026-10-25T01:00:00Z"),
    ("America/St_Johns", "2026-03-08T05:30:00Z"),
    ("America/St_Johns", "2026-11-01T04:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
];

fn local(zone: &TimeZone, millis: i64) -> String {
    let time = Instant::from_millisecond(millis).unwrap();
    let zoned = time.to_zoned(zone.clone());
    zoned.strftime("%d/%b/%Y:%H:%M:%S%.3f").to_string()
}

fn request(zone: &TimeZone, began: i64, took: i64) -> String {
    let date = local(zone, began);
    format!(
        "192.0.2.7:40112 [{date}] web~ api/api3 0/0/1/2/{took} 200 1830 - - ---- 1/1/1/1/0 0/0 \
         \"GET / HTTP/1.1\""
    )
}

fn session(zone: &TimeZone, began: i64, took: i64) -> String {
    let date = local(zone, began);
    format!("192.0.2.7:40112 [{date}] db pg/pg1 0/1/{took} 9120 -- 12/11/10/4/3 0/0")
}

/// When the event of a frame ended, in milliseconds.
fn ended(parser: &mut Parser, frame: &str, received_at: Option<i64>) -> i64 {
    let message = syslog::parse(frame.as_bytes());
    let event = parser.parse(&message, received_at.map(Timestamp::from_millis));
    event.unwrap().ended_at().unwrap().as_millis()
}

#[test]
fn live_lines_are_dated_truly_around_every_change_of_the_clocks() {
    for (name, change) in CHANGES {
        let zone = TimeZone::get(name).unwrap();
        let change: Instant = change.parse().unwrap();
        let (before, after) = (change - jiff::SignedDuration::from_secs(1), change);
        assert_ne!(zone.to_offset(before), zone.to_offset(after), "{name}");

        let mut parser = Parser::new(Arc::default(), zone.clone());
        let minutes = (-12 * 60..12 * 60).map(|minute| minute * 60 + (minute & 31));
        let seconds = -90 * 60..90 * 60;
        for second in minutes.chain(seconds) {
            let end = change.as_millisecond() + second * 1000 + 120;
            // Quick ones, and some that began before the change and ended after it.
            for took in [
                0,
                1_500,
                [40_000, 1_200_000, 4_000_000][second as usize % 3],
            ] {
                let received_at = Some(end + second.rem_euclid(2_000));
                for line in [request, session] {
                    let line = line(&zone, end - took, took);
                    let found = ended(&mut parser, &line, received_at);
                    assert_eq!(found, end, "{name}: {line} at {second} s");
                }
            }
        }
    }
}

/// 02:30 of the day on which it comes twice, with the clock going back at 01:00 UTC.
#[test]
fn what_tells_which_of_two_times_it_is() {
    let zone = TimeZone::get("Europe/Stockholm").unwrap();
    let millis = |time: &str| time.parse::<Instant>().unwrap().as_millisecond();
    let (first, second) = (
        millis("2026-10-25T00:30:00Z"),
        millis("2026-10-25T01:30:00Z"),
    );
    let line = request(&zone, second, 0);
    assert_eq!(line, request(&zone, first, 0));
    let mut parser = Parser::new(Arc::default(), zone);
    for (header, received_at, expected) in [
        ("", None, first),
        ("", Some("2026-10-25T00:30:01Z"), first),
        ("", Some("2026-10-25T01:30:01Z"), second),
        // Much later, or somewhat early by our own clock.
        ("", Some("2026-10-25T07:00:00Z"), second),
        ("", Some("2026-10-25T00:29:00Z"), first),
        // An envelope that says when it was sent was there sooner than we.
        (
            "<134>2026-10-25T02:30:00.000+02:00 lb1 haproxy[7]: ",
            Some("2026-10-25T01:35:00Z"),
            first,
        ),
        (
            "<134>1 2026-10-25T02:30:00.000+01:00 lb1 haproxy 7 - - ",
            None,
            second,
        ),
        // One without an offset says no more than the line.
        (
            "<134>Oct 25 02:30:00 lb1 haproxy[7]: ",
            Some("2026-10-25T01:30:01Z"),
            second,
        ),
        ("<134>Oct 25 02:30:00 lb1 haproxy[7]: ", None, first),
    ] {
        let received_at = received_at.map(millis);
        let found = ended(&mut parser, &format!("{header}{line}"), received_at);
        assert_eq!(found, expected, "{header} {received_at:?}");
    }
}

#[test]
fn a_date_with_an_offset_is_not_moved() {
    let format = crate::source::Placed::whole("format", "[%trg] [%t] %ST");
    let formats = Formats::one(&format, &|_| None).unwrap();
    let zone = TimeZone::get("Europe/Stockholm").unwrap();
    let mut parser = Parser::new(Arc::new(formats), zone);
    let line = "[25/Oct/2026:00:30:00 +0000] [25/Oct/2026:02:30:00.000] 200";
    let message = syslog::parse(line.as_bytes());
    let late: Instant = "2026-10-25T01:31:00Z".parse().unwrap();
    let event = parser.parse(&message, Some(Timestamp::from_secs(late.as_second())));
    let event = event.unwrap();
    let shown = |time: Option<Timestamp>| time.unwrap().to_string();
    assert_eq!(shown(event.request_date), "2026-10-25T00:30:00.000Z");
    assert_eq!(shown(event.accept_date), "2026-10-25T01:30:00.000Z");
}
