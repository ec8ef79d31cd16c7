//! HAProxy's own messages of all versions since 1.4, and texts that are not.

use super::*;
use proptest::prelude::*;

/// Tag and severity as HAProxy sends a notice.
fn message(text: &[u8]) -> Message<'_> {
    Message {
        severity: Some(5),
        host: Some(b"lb1"),
        app: Some(b"haproxy"),
        pid: Some(b"77"),
        text,
        ..Message::default()
    }
}

/// `frontend backend/server state`, `-` for what it does not name.
fn about(text: &str) -> String {
    let event = match parse(&message(text.as_bytes()), text.as_bytes(), &[]) {
        Ok(event) => event,
        Err(reject) => return format!("{} {reject}", reject.as_str()),
    };
    assert_eq!(
        (event.kind, event.message),
        (Kind::Event, Some(text.as_bytes()))
    );
    let shown = |field: Option<&[u8]>| field.map_or("-".into(), |f| f.to_str_lossy().into_owned());
    format!(
        "{} {}/{} {}",
        shown(event.frontend),
        shown(event.backend),
        shown(event.server),
        shown(event.state)
    )
}

#[test]
fn what_is_printed_on_standard_error_is_understood_too() {
    for (text, state) in [
        (
            "[WARNING]  (7) : Server b/s1 is DOWN, reason: Layer4 timeout.",
            Some("DOWN"),
        ),
        (
            "[WARNING] 324/090000 (7) : Server b/s1 is UP, reason: x.",
            Some("UP"),
        ),
        (
            "[ALERT]    (7) : backend b has no server available!",
            Some("no server available"),
        ),
        ("[ALERT]    (7) : anything else", None),
    ] {
        let message = message(text.as_bytes());
        let event = parse(&message, text.as_bytes(), &[]).expect(text);
        assert_eq!(event.state, state.map(str::as_bytes), "{text}");
        assert_eq!(event.message, Some(text.as_bytes()));
    }
    for text in [
        "[WARNING] none of its",
        "[NOTICE]   (7) : New worker (8) forked",
    ] {
        let message = message(text.as_bytes());
        assert_eq!(
            parse(&message, text.as_bytes(), &[]),
            Err(Reject::NotTraffic),
            "{text}"
        );
    }
}

#[test]
fn servers_backends_and_proxies_by_what_is_said_of_them() {
    for (text, want) in [
        // Checks decide.
        (
            "Server api/api3 is DOWN, reason: Layer4 connection problem, info: \"Connection \
             refused\", check duration: 0ms. 2 active and 0 backup servers left. 1 sessions \
             active, 0 requeued, 0 remaining in queue.",
            "- api/api3 DOWN",
        ),
        (
            "Server api/api3 is UP, reason: Layer7 check passed, code: 204, check duration: 2ms. \
             3 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.",
            "- api/api3 UP",
        ),
        ("Backup Server api/spare is UP.", "- api/spare UP"),
        (
            "Server api/api3 is UP. 3 active and 1 backup servers online.",
            "- api/api3 UP",
        ),
        (
            "Server api/api3 is DOWN via other/api3. 0 active and 0 backup servers left.",
            "- api/api3 DOWN",
        ),
        (
            "Server api/api3 is UP, changed from CLI. 3 active and 0 backup servers online.",
            "- api/api3 UP",
        ),
        (
            "Server api/api3 is stopping. 2 active and 0 backup servers left.",
            "- api/api3 stopping",
        ),
        ("Server a.b:c/d-e_f.9 is UP", "- a.b:c/d-e_f.9 UP"),
        // People decide.
        (
            "Server api/api3 is going DOWN for maintenance. 2 active and 0 backup servers left.",
            "- api/api3 MAINT",
        ),
        (
            "Server api/api3 was DOWN and now enters maintenance (No IP for server ).",
            "- api/api3 MAINT",
        ),
        (
            "Server api/api3 is DOWN for maintenance.",
            "- api/api3 MAINT",
        ),
        (
            "Server api/api3 remains in forced maintenance.",
            "- api/api3 MAINT",
        ),
        (
            "Server api/api3 is leaving forced maintenance but remains in maintenance.",
            "- api/api3 MAINT",
        ),
        (
            "Server api/api3 is UP/READY (leaving forced maintenance).",
            "- api/api3 UP",
        ),
        (
            "Server api/api3 is DOWN/READY (leaving maintenance).",
            "- api/api3 DOWN",
        ),
        (
            "Server api/api3 is UP/DRAIN (leaving forced maintenance).",
            "- api/api3 DRAIN",
        ),
        (
            "Server api/api3 enters drain state. 2 active and 0 backup servers left.",
            "- api/api3 DRAIN",
        ),
        (
            "Server api/api3 remains in forced drain mode.",
            "- api/api3 DRAIN",
        ),
        (
            "Server api/api3 is leaving forced drain but remains in drain mode.",
            "- api/api3 DRAIN",
        ),
        (
            "Server api/api3 is UP (leaving forced drain).",
            "- api/api3 UP",
        ),
        // DNS decides.
        (
            "Server api/api3 ('api3.internal') is UP/READY (resolves again).",
            "- api/api3 UP",
        ),
        (
            "Server api/api3 ('api3.internal') resolves again but remains in maintenance.",
            "- api/api3 MAINT",
        ),
        (
            "Server api/api3 administratively READY thanks to valid DNS answer.",
            "- api/api3 READY",
        ),
        (
            "api/api3 changed its IP from 10.0.0.3 to 10.0.0.8 by DNS cache.",
            "- api/api3 moved",
        ),
        // `option log-health-checks`.
        (
            "Health check for server api/api3 failed, reason: Layer4 timeout, check duration: \
             2000ms, status: 2/3 UP.",
            "- api/api3 check failed",
        ),
        (
            "Health check for backup server api/spare conditionally succeeded, reason: Layer7 \
             check conditionally passed, code: 404, check duration: 1ms, status: 3/3 UP.",
            "- api/spare check succeeded",
        ),
        (
            "Agent check for server api/api3 succeeded, reason: Layer7 check passed.",
            "- api/api3 check succeeded",
        ),
        // Backends.
        (
            "backend api has no server available!",
            "- api/- no server available",
        ),
        (
            "proxy all has no server available!",
            "all all/- no server available",
        ),
        // Proxies.
        ("Proxy web started.", "web -/- started"),
        ("Proxy web.eu started.", "web.eu -/- started"),
        (
            "Proxy web stopped (FE: 812 conns, BE: 0 conns).",
            "web -/- stopped",
        ),
        (
            "Proxy api stopped (cumulated conns: FE: 0, BE: 97).",
            "- api/- stopped",
        ),
        (
            "Proxy all stopped (cumulated conns: FE: 4, BE: 97).",
            "all all/- stopped",
        ),
        (
            "Proxy idle stopped (cumulated conns: FE: 0, BE: 0).",
            "idle idle/- stopped",
        ),
        (
            "Proxy web hard-stopped (3 remaining conns will be closed).",
            "web web/- stopped",
        ),
        (
            "Proxy <HTTPCLIENT> stopped (cumulated conns: FE: 0, BE: 2).",
            "- <HTTPCLIENT>/- stopped",
        ),
        (
            "Proxy web reached process FD limit (maxsock=4031). Please check 'ulimit-n' and \
             restart.",
            "web -/- at limit",
        ),
        ("Stopping frontend web in 0 ms.", "web -/- stopping"),
        ("Stopping backend api in 50 ms.", "- api/- stopping"),
        ("Stopping proxy all in 0 ms.", "all all/- stopping"),
        ("Pausing frontend web.", "web -/- paused"),
        ("Paused frontend web.eu.", "web.eu -/- paused"),
        ("Resumed frontend web.", "web -/- resumed"),
        ("Enabling proxy all.", "all all/- resumed"),
        // OCSP responses.
        (
            "<OCSP-UPDATE> /etc/tls/shop one.pem 1 \"Update successful\" 0 4",
            "- -/- updated",
        ),
        (
            "-:- [21/Nov/2026:04:55:14.120] <OCSP-UPDATE> /etc/tls/shop.pem 2 \"HTTP error\" 1 4",
            "- -/- update failed",
        ),
    ] {
        assert_eq!(about(text), want, "{text}");
    }
}

#[test]
fn a_wording_that_was_cut_off_is_malformed_where_the_text_ends() {
    for (text, field) in [
        ("Server api/api3", "state"),
        ("Server api/api3 is", "state"),
        ("Server api/api3 is DOW", "state"),
        ("Server api/api3 is UP/DRA", "state"),
        ("Server api/", "server"),
        ("Server api/api3 ('api3.inter", "state"),
        ("Health check for server api/api3 fai", "state"),
        ("backend api has no server", "state"),
        ("Proxy web", "state"),
        ("Proxy web hard-st", "state"),
        ("Stopping frontend we", "state"),
        ("<OCSP-UPDATE> /etc/tls/shop.pem", "state"),
    ] {
        let want = format!(
            "malformed cannot read `{field}` at byte {} of the message",
            text.len()
        );
        assert_eq!(about(text), want, "{text}");
    }
}

#[test]
fn texts_of_others_are_nothing() {
    for text in [
        "Server listening on 0.0.0.0 port 22.",
        "Server api/api3 dreams",
        "Server api/api3 is UPSET",
        "Proxy connection refused",
        "Proxy <HTTP CLIENT> stopped",
        "Proxy <> stopped",
        "Stopping Session 4 of user root.",
        "Started Session 4 of user root.",
        "backend is healthy",
        "a/b changed the world",
        "Health of the nation",
        "-:- [21/Nov/2026:04:55:14.120] web",
        "this is a line of Lua",
    ] {
        assert!(about(text).starts_with("not_traffic "), "{text}");
    }
}

#[test]
fn a_warning_or_worse_of_haproxy_is_an_event_in_any_words() {
    let limit = b"Blocking cacheable cookie in response from instance api, server api3.";
    let spoe = b"SPOE: [auth] <EVENT:on-client-session> sid=8 st=0 0/1/2/3/4 0/0 0/0 0/8";
    for (severity, app, text, event) in [
        (Some(0), Some(&b"haproxy"[..]), &limit[..], true),
        (Some(4), Some(b"haproxy-edge"), limit, true),
        (Some(5), Some(b"haproxy"), limit, false),
        (None, Some(b"haproxy"), limit, false),
        (Some(1), Some(b"sshd"), limit, false),
        (Some(1), None, limit, false),
        (Some(4), Some(b"haproxy"), spoe, false),
    ] {
        let message = Message {
            severity,
            app,
            ..message(text)
        };
        let parsed = parse(&message, text, &[]);
        let nameless = Event {
            host: message.host,
            process: message.app,
            pid: Some(77),
            message: Some(text),
            ..Event::of_kind(Kind::Event)
        };
        let want = if event {
            Ok(nameless)
        } else {
            Err(Reject::NotTraffic)
        };
        assert_eq!(parsed, want, "{severity:?} {app:?}");
    }
}

#[test]
fn states_are_found_by_name() {
    for state in State::ALL {
        assert_eq!(State::by_name(state.as_str().as_bytes()), Some(state));
    }
    assert_eq!(State::by_name(b"up"), None);
}

proptest! {
    /// Whatever follows, and wherever it is cut.
    #[test]
    fn no_text_makes_it_panic(
        start in prop::sample::select(vec![
            "Server ", "Backup Server a/b (", "Health check for ", "Proxy a stopped (FE: ",
            "backend ", "Paused ", "-:- [", "<OCSP-UPDATE> ", "a/",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let text = [start.as_bytes(), &rest].concat();
        if let Ok(event) = parse(&message(&text), &text, &[]) {
            prop_assert_eq!(event.message, Some(&text[..]));
            let state = event.state.map(State::by_name);
            prop_assert_ne!(state, Some(None));
        }
    }
}
