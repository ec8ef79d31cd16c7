//! What a line costs from bytes to event, stage by stage.
//!
//! 4096 different lines from a seeded generator, made before the clock starts, so that
//! branches are as hard to predict as in production. `cargo bench --bench parse` reports
//! lines per second. For instructions, which do not depend on the machine's mood, run
//! the built benchmark as
//!
//! ```text
//! valgrind --tool=callgrind --collect-atstart=no --toggle-collect='parse::line' BENCH --test httplog
//! ```
//!
//! and divide by 4096.

mod hand_written;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::hint::black_box;
use std::sync::Arc;
use weir::input::framing::{Frame, Framer};
use weir::source::Placed;
use weir::syslog::Message;
use weir::{haproxy, syslog};

const LINES: usize = 4096;
/// What a listener reads at once.
const READ: usize = 64 * 1024;

fn pick<'a>(rng: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[rng.random_range(0..from.len())]
}

/// Mostly small, now and then large, as times and sizes are.
fn skewed(rng: &mut StdRng, digits: u32) -> u64 {
    let digits = rng.random_range(1..=digits);
    rng.random_range(0..10_u64.pow(digits))
}

/// `address:port [date] frontend backend/server `, a date within the same hour.
fn head(rng: &mut StdRng) -> String {
    let [a, b, c]: [u8; 3] = rng.random();
    let service = pick(
        rng,
        &[
            "users", "carts", "tax", "search", "images", "sessions", "orders",
        ],
    );
    format!(
        "10.{a}.{b}.{c}:{} [21/Nov/2026:04:{:02}:{:02}.{:03}] {service}{} {service}-pool/{service}-{} ",
        rng.random_range(1024..=65535),
        rng.random_range(50..52),
        rng.random_range(0..60),
        rng.random_range(0..1000),
        pick(rng, &["", "~"]),
        rng.random_range(1..20),
    )
}

fn counters(rng: &mut StdRng) -> String {
    let n: [u64; 6] = std::array::from_fn(|_| skewed(rng, 3));
    let retries = pick(rng, &["0", "0", "0", "0", "1", "+1"]);
    format!(
        "{}/{}/{}/{}/{retries} {}/{}",
        n[0], n[1], n[2], n[3], n[4], n[5]
    )
}

fn http_text(rng: &mut StdRng) -> String {
    let head = head(rng);
    let timers = match rng.random_range(0..20) {
        0 => format!("-1/-1/-1/-1/{}", skewed(rng, 5)),
        _ => {
            let t: [u64; 5] = std::array::from_fn(|_| skewed(rng, 4));
            format!("{}/{}/{}/{}/{}", t[0], t[1], t[2], t[3], t[4])
        }
    };
    let status = pick(
        rng,
        &["200", "200", "200", "201", "304", "404", "500", "503"],
    );
    let bytes = skewed(rng, 6);
    let agent = pick(
        rng,
        &[
            "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
            "curl/8.14.1",
            "okhttp/4.12.0 (shop-app 7.31; android 15)",
        ],
    );
    let method = pick(rng, &["GET", "GET", "GET", "POST", "PUT", "DELETE"]);
    let path = pick(
        rng,
        &["/v1/users/", "/v2/carts/items/", "/search/suggest/", "/i/"],
    );
    let counters = counters(rng);
    let (id, page): (u32, u8) = (rng.random(), rng.random());
    format!(
        "{head}{timers} {status} {bytes} - - ---- {counters} {{shop.example.net|{agent}}} {{nginx|{bytes}}} \
         \"{method} {path}{id}?page={page}&sort=price HTTP/1.1\""
    )
}

fn tcp_text(rng: &mut StdRng) -> String {
    let head = head(rng);
    let (tw, tc, tt) = (skewed(rng, 2), skewed(rng, 2), skewed(rng, 5));
    let state = pick(rng, &["--", "--", "CD", "SD", "cD"]);
    let bytes = skewed(rng, 6);
    format!("{head}{tw}/{tc}/{tt} {bytes} {state} {}", counters(rng))
}

fn lines(text: fn(&mut StdRng) -> String) -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(7);
    (0..LINES).map(|_| text(&mut rng)).collect()
}

fn message(text: &str) -> Message<'_> {
    Message {
        text: text.as_bytes(),
        ..Message::default()
    }
}

// One function for each stage, so that callgrind can be told to count only it.

#[inline(never)]
fn framing(stream: &[u8], frames: &mut Vec<Frame>) -> usize {
    let mut framer = Framer::new(READ);
    let (mut at, mut found) = (0, 0);
    while at < stream.len() {
        frames.clear();
        let read = &stream[at..stream.len().min(at + READ)];
        at += framer.frames(read, frames);
        found += frames.len();
    }
    found
}

#[inline(never)]
fn envelope(frames: &[String]) {
    for frame in frames {
        black_box(syslog::parse(frame.as_bytes()));
    }
}

#[inline(never)]
fn line(messages: &[Message<'_>], parser: &mut haproxy::Parser) {
    for message in messages {
        let _ = black_box(parser.parse(message, None));
    }
}

#[inline(never)]
fn by_hand(messages: &[Message<'_>], dates: &mut hand_written::Dates) {
    for message in messages {
        let _ = black_box(hand_written::parse(message.text, dates));
    }
}

/// A format of twenty fields, most of them beside an event's own, and a line of it.
const CUSTOM: &str = "%ci:%cp [%tr] %ft %b/%s %ST %B %Ta %tsc %{+Q}[req.hdr(user-agent)] \
    %(id)[unique-id] %[ssl_fc_sni]/%sslv %(tenant)[var(txn.tenant)]|%(cache:bool)[ssl_fc] \
    %(size:sint)[req.body_size] %HM %{+Q}HU %HV";

fn custom_text(rng: &mut StdRng) -> String {
    let head = head(rng);
    format!(
        "{head}{} {} {} ---- \"{}\" {:032x} {}/TLSv1.3 {}|{} {} {} \"/api/{}?page={}\" HTTP/1.1",
        pick(rng, &["200", "200", "404", "503"]),
        skewed(rng, 6),
        skewed(rng, 4),
        pick(
            rng,
            &[
                "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
                "curl/8.14.1",
            ],
        ),
        rng.random::<u128>(),
        pick(rng, &["shop.example.net", "api.example.net", "-"]),
        pick(rng, &["acme", "globex corp", "-"]),
        pick(rng, &["0", "1"]),
        skewed(rng, 5),
        pick(rng, &["GET", "POST"]),
        pick(rng, &["users", "carts/81723", "search"]),
        skewed(rng, 3),
    )
}

fn benches(c: &mut Criterion) {
    let (http, tcp) = (lines(http_text), lines(tcp_text));
    let bytes: usize = http.iter().map(String::len).sum();
    println!("httplog: {} bytes a line", bytes / LINES);

    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(LINES as u64));

    for (name, framed) in [
        (
            "framing/lines",
            (|line| format!("{line}\n")) as fn(&String) -> String,
        ),
        ("framing/octets", |line| format!("{} {line}", line.len())),
    ] {
        let sent = http.iter().map(|text| format!("<134>{text}"));
        let stream: String = sent.map(|line| framed(&line)).collect();
        let mut frames = Vec::new();
        assert_eq!(framing(stream.as_bytes(), &mut frames), LINES);
        group.bench_function(name, |b| b.iter(|| framing(stream.as_bytes(), &mut frames)));
    }

    for (name, header) in [
        ("envelope/haproxy", "<134>Nov 21 04:55:14 haproxy[74123]: "),
        (
            "envelope/traditional",
            "<134>Nov 21 04:55:14 lb1.example.net haproxy[74123]: ",
        ),
        (
            "envelope/forward",
            "<134>2026-11-21T04:55:14.120345+00:00 lb1.example.net haproxy[74123]: ",
        ),
        (
            "envelope/rfc5424",
            "<134>1 2026-11-21T04:55:14.120345+00:00 lb1.example.net haproxy 74123 - -  ",
        ),
    ] {
        let frames: Vec<String> = http.iter().map(|text| format!("{header}{text}")).collect();
        group.bench_function(name, |b| b.iter(|| envelope(&frames)));
    }

    let mut parser = haproxy::Parser::new(Default::default(), TimeZone::UTC);
    let messages: Vec<Message<'_>> = http.iter().map(|text| message(text)).collect();
    assert!(
        messages
            .iter()
            .all(|message| parser.parse(message, None).is_ok())
    );
    group.bench_function("httplog", |b| b.iter(|| line(&messages, &mut parser)));

    let mut dates = hand_written::Dates::default();
    for message in &messages {
        let by_hand = hand_written::parse(message.text, &mut dates);
        assert_eq!(parser.parse(message, None).ok(), by_hand);
    }
    group.bench_function("by_hand", |b| b.iter(|| by_hand(&messages, &mut dates)));

    let format = Placed::whole("custom", CUSTOM);
    let formats = haproxy::Formats::one(&format, &|_| None).expect("a format");
    let mut custom = haproxy::Parser::new(Arc::new(formats), TimeZone::UTC);
    let texts = lines(custom_text);
    let customs: Vec<Message<'_>> = texts.iter().map(|text| message(text)).collect();
    assert!(
        customs
            .iter()
            .all(|message| custom.parse(message, None).is_ok())
    );
    group.bench_function("custom", |b| b.iter(|| line(&customs, &mut custom)));

    let messages: Vec<Message<'_>> = tcp.iter().map(|text| message(text)).collect();
    assert!(
        messages
            .iter()
            .all(|message| parser.parse(message, None).is_ok())
    );
    group.bench_function("tcplog", |b| b.iter(|| line(&messages, &mut parser)));
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
