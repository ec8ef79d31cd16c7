//! What rules cost per event. Input is prepared outside the measured loops.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::hint::black_box;
use std::sync::Arc;
use weir::haproxy::{Event, Kind, Timers};
use weir::rules::{Evaluator, Options, Rules, bundled, load};
use weir::source::Source;
use weir::time::Timestamp;

const AT: Timestamp = Timestamp::from_secs(1_767_268_861);
const SERVICES: usize = 1000;
const EVENTS: usize = 4096;

/// Different events, so that branches mispredict as they do in production.
fn events(services: &[String]) -> Vec<Event<'_>> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut random = move |below: u64| rng.random_range(0..below);
    let paths: [&[u8]; 3] = [b"/api/users", b"/api/carts/7", b"/static/site.css"];
    (0..EVENTS)
        .map(|_| Event {
            host: Some(b"lb1"),
            process: Some(b"haproxy"),
            pid: Some(7),
            client_ip: Some(b"10.0.0.1"),
            client_port: Some(4000),
            request_date: Some(AT),
            frontend: Some(services[random(services.len() as u64) as usize].as_bytes()),
            tls: random(2) == 0,
            backend: Some(b"api"),
            server: Some(b"api1"),
            timers: Timers {
                request: Some(0),
                queue: Some(random(3) as i64),
                connect: Some(1),
                response: (random(20) > 0).then(|| random(400) as i64),
                active: Some(401),
                total: Some(402),
                ..Timers::NONE
            },
            status: Some([200, 200, 304, 404, 503][random(5) as usize]),
            bytes_read: Some(512),
            termination_state: Some(b"----"),
            actconn: Some(3),
            feconn: Some(2),
            beconn: Some(1),
            srv_conn: Some(1),
            retries: Some(0),
            srv_queue: Some(0),
            backend_queue: Some(0),
            method: Some(b"GET"),
            path: Some(paths[random(3) as usize]),
            http_version: Some(b"HTTP/1.1"),
            ..Event::of_kind(Kind::Http)
        })
        .collect()
}

fn loaded(sources: &[Source]) -> Arc<Rules> {
    Arc::new(load(sources, &Options::default()).expect("the bench's rules are valid"))
}

fn rules(text: String) -> Arc<Rules> {
    loaded(&[Source::new("bench.yaml", &text)])
}

// A function of its own, so that callgrind can be told to count only it.
#[inline(never)]
fn apply(evaluator: &mut Evaluator, events: &[Event<'_>]) {
    for event in events {
        black_box(evaluator.apply(black_box(event), AT));
    }
}

fn bench(c: &mut Criterion) {
    let services: Vec<String> = (0..SERVICES).map(|n| format!("service-{n}")).collect();
    let events = events(&services);
    let mut group = c.benchmark_group("rules");
    group.throughput(Throughput::Elements(EVENTS as u64));
    let mut measure = |name: &str, rules: Arc<Rules>| {
        // One hand-over a second at these rates is one per some million events: rows
        // are there already when most events come.
        let warm = || {
            let mut evaluator = Evaluator::new(Arc::clone(&rules), 100_000);
            for event in &events {
                evaluator.apply(event, AT);
            }
            evaluator
        };
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                warm,
                |evaluator| apply(evaluator, &events),
                BatchSize::LargeInput,
            );
        });
    };

    // No event has that service: what is measured is the condition.
    let condition = "status >= 200 && path.startsWith(\"/api\") && service == \"users\"";
    measure(
        "condition of three terms",
        rules(format!(
            "rules: [{{name: a, where: '{condition}', measure: {{n: count()}}}}]"
        )),
    );
    measure("bundled, 1000 services", loaded(&bundled()));
    // Rules with one `by` and window share the lookup. What each adds is its own work: a
    // condition that no other has and a counter, or a list of samples too.
    for (what, measure_of) in [
        ("count", "rate: rate()"),
        ("percentile", "p95: 'percentile(Tr, 95)'"),
    ] {
        for count in [1, 5, 20] {
            let mut text = String::from("rules:\n");
            for n in 0..count {
                let condition = format!("kind == \"http\" && status >= {}", 200 + n);
                text += &format!(
                    "- {{ name: r{n}, where: '{condition}', by: [service], measure: {{ {measure_of} }} }}\n"
                );
            }
            measure(
                &format!("{count} rules of one grouping, a {what} each"),
                rules(text),
            );
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
