//! The straight way and the steps give the same wherever the straight way gives anything.

use super::*;
use crate::haproxy::built_in;
use crate::haproxy::date::Dates;
use crate::haproxy::event::{Event, Kind};
use crate::haproxy::log_format;
use crate::haproxy::plan::{Captured, Escapes, Plan, Scratch, compile};
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn plan(format: &str, captured: Captured) -> Plan {
    let format = log_format::parse(format).expect("a format");
    compile(&format, None, captured).unwrap_or_else(|fault| panic!("{}", fault.message))
}

/// The event that one of the two ways makes of a line, and what is known of it beside; `None`
/// if it does not read it.
type Made<'a> = Option<(Event<'a>, Escapes, bool, bool, i64)>;

fn made<'a>(
    plan: &'a Plan,
    line: &'a [u8],
    read: impl FnOnce(&mut Store<'_, 'a>) -> bool,
) -> Made<'a> {
    let mut event = Event::of_kind(Kind::Http);
    let mut dates = Dates::new(TimeZone::UTC);
    let mut scratch = Scratch::default();
    let mut store = Store::new(plan, line, &mut event, &mut dates, &mut scratch);
    let read = read(&mut store);
    let (cut, doubtful, repeats) = (store.cut, store.doubtful, store.repeats);
    let escapes = store.finish();
    let repeat = repeats.accept | repeats.request;
    read.then_some((event, escapes, cut, doubtful, repeat))
}

fn straight<'a>(plan: &'a Plan, line: &'a [u8]) -> Made<'a> {
    let straight = Straight::of(plan, FieldSet::ALL).expect("the format has one");
    made(plan, line, |store| straight.read(line, store))
}

/// Whether the straight way reads a line of which nothing is kept.
fn skims(plan: &Plan, line: &[u8]) -> bool {
    let straight = Straight::of(plan, FieldSet::default()).expect("the format has one");
    made(plan, line, |store| straight.read(line, store)).is_some()
}

fn steps<'a>(plan: &'a Plan, line: &'a [u8]) -> Made<'a> {
    made(plan, line, |store| {
        plan.read_segments(&plan.segments, line, store, false)
            .is_ok()
    })
}

const HTTP: &str = "192.0.2.7:40112 [21/Nov/2026:04:55:14.120] web~ api/api3 0/0/1/23/24 200 1830 \
    - - ---- 37/9/8/1/0 0/0 {shop.example|curl/8.14} {nginx} \"GET /v1/users/7?page=2 HTTP/1.1\"";
const TCP: &str =
    "2001:db8::7:40112 [21/Nov/2026:04:55:14.120] db pg/pg1 0/1/1500 9120 -- 12/11/10/4/3 0/0";
/// Fields of one's own beside HAProxy's, with other bytes between them.
const OWN: &str = "%ci:%cp|%[src_port]/%ST:%B %tsc,%si %b/%s %rc";

fn plans() -> Vec<(Plan, String)> {
    let nothing = Captured::default;
    let response = Captured {
        response: Box::new(["Server".into()]),
        known: true,
        ..Captured::default()
    };
    vec![
        (plan(built_in::HTTPLOG, nothing()), HTTP.to_owned()),
        (plan(built_in::TCPLOG, nothing()), TCP.to_owned()),
        (
            plan(built_in::HTTPLOG, response),
            HTTP.replace("{shop.example|curl/8.14} ", ""),
        ),
        (
            plan(OWN, nothing()),
            "192.0.2.7:9|40112/200:18301830 SD--,10.0.0.1 web/web1 0".to_owned(),
        ),
    ]
}

#[test]
fn what_lines_usually_are_is_read_straight() {
    for (plan, line) in &plans() {
        assert!(straight(plan, line.as_bytes()).is_some(), "{line}");
        assert!(skims(plan, line.as_bytes()), "{line}");
    }
    let plan = plan(built_in::HTTPLOG, Captured::default());
    for (from, to) in [
        ("{shop.example|curl/8.14} {nginx} ", ""),
        ("{nginx} ", ""),
        ("{shop.example|curl/8.14} {nginx}", "{} {}"),
        ("?page=2", ""),
        ("?page=2", "?page=2?"),
        ("0/0/1/23/24 200", "0/-1/-1/-1/24 503"),
        ("/24 200 1830", "/+24 -1 +1830"),
        ("/1/0 ", "/1/+2 "),
        (" 1830 ", " 123456789 "),
        ("HTTP/1.1", "HTTP/2.0"),
        ("192.0.2.7", "2001:db8::7"),
        ("- - ----", "c=7 c=8 SD--"),
        // More than 64 bytes: names, cookies, an address, and all of the line's end.
        (
            "web~ api/api3",
            "a-frontend-of-a-long-name~ a-backend-of-a-long-name/a-server-of-it",
        ),
        (
            "- - ----",
            "session=0123456789abcdef0123456789 seen=0123456789abcdef0123456789 ----",
        ),
        (
            "curl/8.14",
            "an agent that has told all there is to tell, and then some of it again",
        ),
        (
            "users",
            "users/of/a/path/that/goes/on/for/more/than/that/and/does/not/end/here/yet",
        ),
        ("?page=2", "?page=2&again=???????????"),
        ("curl/8.14", "is it?"),
    ] {
        let line = HTTP.replace(from, to);
        assert_ne!(line, HTTP);
        let made = straight(&plan, line.as_bytes());
        assert!(made.is_some(), "{line}");
        assert_eq!(made, steps(&plan, line.as_bytes()), "{line}");
    }
}

#[test]
fn a_request_is_one_path_and_a_session_nearly() {
    let straight = |format| {
        let plan = plan(format, Captured::default());
        Straight::of(&plan, FieldSet::ALL)
            .expect("the format has one")
            .0
    };
    assert!(matches!(straight(built_in::HTTPLOG), Line::Request(_)));
    let Line::Other(session) = straight(built_in::TCPLOG) else {
        panic!("a session is no request");
    };
    let [
        Stretch::Head(_),
        Stretch::Fields(names),
        Stretch::Fields(fields),
        Stretch::Field(_),
    ] = &*session
    else {
        panic!("{session:?}");
    };
    assert!(names.are(Known::Names) && fields.are(Known::Session));
}

#[test]
fn what_is_rare_is_left_to_the_steps() {
    let plan = plan(built_in::HTTPLOG, Captured::default());
    for (from, to) in [
        (" 200 ", "  200 "),
        ("/23/24 ", "/+23/24 "),
        ("/24 ", "/-+24 "),
        ("/24 ", "/- "),
        (" 200 ", " -2 "),
        ("/1/0 ", "/,1/0 "),
        ("?page=2", "?page=#22"),
        ("users", "us\"ers"),
        ("curl", "cu}rl"),
        ("curl", "cu#7crl"),
        ("HTTP/1.1", "HTTP/3"),
        ("HTTP/1.1\"", "HTT"),
        ("HTTP/1.1\"", "HTTP/1.1\" more"),
        ("GET /v1/users/7?page=2 HTTP/1.1", "<BADREQ>"),
        ("GET /v1/users/7?page=2 HTTP/1.1", "GET HTTP/1.1"),
        ("- - ----", "- - --"),
        (":40112 ", ":123456789 "),
        (" 200 ", " 1000 "),
        ("{shop", " {shop"),
    ] {
        let line = HTTP.replace(from, to);
        assert_ne!(line, HTTP);
        assert_eq!(straight(&plan, line.as_bytes()), None, "{line}");
    }
}

/// One thing done to a line.
#[derive(Clone, Debug)]
enum Change {
    Put(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    // What separates or escapes something, and what is in between.
    let byte = prop::sample::select(b"  \"\"##{}{}|//::[]?-+~09 aH.\t\n\0\xff".to_vec());
    prop_oneof![
        4 => (any::<usize>(), byte.clone()).prop_map(|(at, byte)| Change::Put(at, byte)),
        4 => (any::<usize>(), byte).prop_map(|(at, byte)| Change::Insert(at, byte)),
        2 => any::<usize>().prop_map(Change::Remove),
        1 => any::<usize>().prop_map(Change::Cut),
    ]
}

fn changed(line: &str, changes: Vec<Change>) -> Vec<u8> {
    let mut line = line.as_bytes().to_vec();
    for change in changes {
        let length = line.len().max(1);
        match change {
            Change::Put(at, byte) if !line.is_empty() => line[at % length] = byte,
            Change::Insert(at, byte) => line.insert(at % length.min(line.len() + 1), byte),
            Change::Remove(at) if !line.is_empty() => drop(line.remove(at % length)),
            Change::Cut(at) => line.truncate(at % length),
            Change::Put(..) | Change::Remove(_) => {}
        }
    }
    line
}

/// However long it is, up to 512 bytes: it is looked at in parts of 64.
#[test]
fn a_line_s_end_is_read_straight_up_to_its_bound() {
    let plan = plan(built_in::HTTPLOG, Captured::default());
    let longest = 512 - (HTTP.len() - HTTP.find("{shop").unwrap()) + "users".len();
    for length in 0..=longest {
        let line = HTTP.replace("users", &"u".repeat(length));
        let made = straight(&plan, line.as_bytes());
        assert!(made.is_some(), "{length} of {longest}");
        assert_eq!(made, steps(&plan, line.as_bytes()));
    }
    let line = HTTP.replace("users", &"u".repeat(longest + 1));
    assert_eq!(straight(&plan, line.as_bytes()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn what_is_read_straight_is_what_the_steps_read(
        which in any::<prop::sample::Index>(),
        longer in prop_oneof![Just(0), 0..600usize],
        changes in prop::collection::vec(change(), 0..4),
    ) {
        let plans = plans();
        let (plan, line) = which.get(&plans);
        let line = line.replace("users", &"users".repeat(longer.div_ceil(5))[..longer]);
        let line = changed(&line, changes);
        let steps = steps(plan, &line);
        if let Some(straight) = straight(plan, &line) {
            prop_assert_eq!(Some(straight), steps, "{}", line.escape_ascii());
        } else if skims(plan, &line) {
            prop_assert!(steps.is_some(), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn an_address_and_a_port_are_told_apart_as_by_the_steps(
        address in "[0-9a-f:.]{0,12}",
        port in "[0-9:-]{0,9}",
    ) {
        let line = HTTP.replace("192.0.2.7:40112", &format!("{address}:{port}"));
        let plan = plan(built_in::HTTPLOG, Captured::default());
        if let Some(straight) = straight(&plan, line.as_bytes()) {
            prop_assert_eq!(Some(straight), steps(&plan, line.as_bytes()));
        }
    }
}
