use super::fold::{MAX_BYTES, MAX_SEGMENTS};
use super::template::Segment;
use super::*;
use proptest::prelude::*;

const LISTED: [&str; 12] = [
    "/",
    "/v1/users",
    "/v1/users/:id",
    "/v1/users/:id/cards",
    "/v1/users/me",
    "/v1/:kind/:id/history",
    "/v1/{kind}/{id}/history/{version}",
    "/static/*",
    "/static/favicon.ico",
    "/a/:x/c",
    "/a/b/d",
    "/a/*",
];

#[test]
fn a_path_has_the_route_of_its_best_template() {
    let routes = Routes::new(&LISTED).unwrap();
    for (path, expected) in [
        ("/", "/"),
        ("", "/"),
        ("//", "/"),
        ("/v1/users", "/v1/users"),
        ("/v1/users/", "/v1/users"),
        ("/v1/users//", "/v1/users"),
        ("/v1/users/42", "/v1/users/:id"),
        ("/v1/users/a%2Fb", "/v1/users/:id"),
        ("/v1/users/42/cards/", "/v1/users/:id/cards"),
        ("/v1/users/42/cards/1", "-"),
        ("/v1/users//cards", "-"),
        ("//v1/users", "-"),
        ("/V1/users", "-"),
        ("/v1/users/me", "/v1/users/me"),
        // Back from `users`, and from `me`.
        ("/v1/users/42/history", "/v1/:kind/:id/history"),
        ("/v1/users/me/history", "/v1/:kind/:id/history"),
        ("/v1/users/me/cards", "/v1/users/:id/cards"),
        ("/v1/x/y/history/3", "/v1/{kind}/{id}/history/{version}"),
        ("/static", "/static/*"),
        ("/static/", "/static/*"),
        ("/static/a//b/c", "/static/*"),
        ("/static/favicon.ico", "/static/favicon.ico"),
        ("/static/favicon.ico/x", "/static/*"),
        ("/statics", "-"),
        ("/a/b/c", "/a/:x/c"),
        ("/a/b/d", "/a/b/d"),
        ("/a/b/e", "/a/*"),
        ("/a//c", "/a/*"),
        // As HAProxy logs HTTP/2, and what is no path.
        ("https://www.example.net/v1/users/42", "/v1/users/:id"),
        ("https://www.example.net:8443/", "/"),
        ("http://[2001:db8::1]", "/"),
        ("a+b-c.1://x/static/y", "/static/*"),
        ("1http://x/static/y", "-"),
        ("://x/static/y", "-"),
        ("www.example.net:443", "-"),
        ("*", "-"),
        ("v1/users", "-"),
    ] {
        let found = routes.route(path.as_bytes()).unwrap_or(b"-");
        assert_eq!(found.escape_ascii().to_string(), expected, "{path}");
    }
}

#[test]
fn no_template_is_no_route() {
    let routes = Routes::new(&[] as &[&str]).unwrap();
    assert_eq!(routes.route(b"/"), None);
    let routes = Routes::new(&["/*"]).unwrap();
    assert_eq!(routes.route(b"/"), Some(&b"/*"[..]));
    assert_eq!(routes.route(b"/a/b"), Some(&b"/*"[..]));
    assert_eq!(routes.route(b"*"), None);
}

/// Every fault: its template's index, its place marked in it, message and hint.
fn faults(templates: &[&str]) -> String {
    let faults = Routes::new(templates).unwrap_err();
    let lines = faults.iter().map(|(index, fault)| {
        let marked = &templates[*index][fault.span.clone()];
        let hint = fault.hint.as_deref().unwrap_or("-");
        format!("{index} {marked:?}: {}; {hint}", fault.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_wrong_with_templates_is_said_of_all_of_them() {
    insta::assert_snapshot!(faults(&[
        "",
        "v1/users",
        "https://www.example.net/v1/users",
        "/v1//users/",
        "/v1/*/users",
        "/v1/users*",
        "/v1/user-:id/{id}.json",
        "/v1/:/{}",
        "/v1/users?id=1",
        "/v1/<id>",
        "/a/:x",
        "/a/:y",
        "/a/{z}",
        "/b/*",
        "/b/*",
        "/b",
    ]), @r#"
    0 "": the template is empty; the root is written `/`
    1 "v1/users": a template begins with `/`; write `/v1/users`
    2 "https://www.example.net/v1/users": a template begins with `/`; routes are matched by the path alone: `/v1/users`
    3 "": the template has an empty segment; leave out one of the two slashes
    3 "": the template ends with a slash; leave it out: slashes at a path's end do not matter
    4 "*": `*` stands for the rest of a path, so nothing can follow it; for one segment write a parameter such as `:id`
    5 "users*": `*` is only a part of the segment `users*`; write `*` alone for the rest of a path, `:id` for any one segment
    6 "user-:id": `user-:id` is neither text nor a parameter; a parameter is a whole segment, written `:id` or `{id}`
    6 "{id}.json": `{id}.json` is neither text nor a parameter; a parameter is a whole segment, written `:id` or `{id}`
    7 ":": `:` has no name; a parameter is written `:id` or `{id}`
    7 "{}": `{}` has no name; a parameter is written `:id` or `{id}`
    8 "users?id=1": `users?id=1` is more than a path; leave out what begins with `?` or `#`: a route is matched without it
    9 "<id>": `<id>` is neither text nor a parameter; a parameter is a whole segment, written `:id` or `{id}`
    11 "/a/:y": `/a/:y` matches the same paths as `/a/:x`; keep one of the two
    12 "/a/{z}": `/a/{z}` matches the same paths as `/a/:x`; keep one of the two
    14 "/b/*": `/b/*` is listed twice; keep one of the two
    "#);
}

#[test]
fn templates_are_bounded() {
    let many: Vec<String> = (0..MAX_TEMPLATES + 2).map(|n| format!("/{n}")).collect();
    assert!(Routes::new(&many[..MAX_TEMPLATES]).is_ok());
    let faults = Routes::new(&many).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].0, MAX_TEMPLATES);
    let deep = "/a".repeat(template::MAX_SEGMENTS);
    let routes = Routes::new(&[&deep]).unwrap();
    assert_eq!(routes.route(deep.as_bytes()), Some(deep.as_bytes()));
    assert_eq!(routes.route("/a".repeat(100_000).as_bytes()), None);
    let deeper = deep + "/a";
    let faults = Routes::new(&[&deeper]).unwrap_err();
    assert!(faults[0].1.message.contains("more than 64 segments"));
}

fn folded(path: &[u8]) -> Vec<u8> {
    let mut out = b"what was there".to_vec();
    fold(path, &mut out);
    out
}

#[test]
fn ids_are_folded_and_words_are_not() {
    let long = "x".repeat(MAX_BYTES + 1);
    for (segment, expected) in [
        ("users", "users"),
        ("v1", "v1"),
        ("api2", "api2"),
        ("oauth2", "oauth2"),
        ("index.html", "index.html"),
        ("x509", "x509"),
        ("4xx", "4xx"),
        // Digits, alone and with separators.
        ("0", ":id"),
        ("404", ":id"),
        ("2026-11-21", ":id"),
        ("2026-11-21T10:00:00Z", ":id"),
        ("20261121T100000Z", ":id"),
        ("-12.5", ":id"),
        ("59.33,18.07", ":id"),
        ("10.0.0.1", ":id"),
        ("-", "-"),
        ("T1", "T1"),
        // UUIDs.
        ("6f9619ff-8b86-d011-b42d-00c04fc964ff", ":id"),
        ("6F9619FF-8B86-D011-B42D-00C04FC964FF", ":id"),
        ("abcdefab-cdef-abcd-efab-cdefabcdefab", ":id"),
        ("6f9619ff8b86d011b42d00c04fc964ff", ":id"),
        // Hexadecimal.
        ("deadbee1", ":id"),
        ("deadbeef", "deadbeef"),
        ("facade1", "facade1"),
        ("507f1f77bcf86cd799439011", ":id"),
        // ULIDs: the second has no digit before a letter but its first.
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", ":id"),
        ("0ABCDEFGHJKMNPQRSTVWXYZABC", ":id"),
        // Long tokens.
        ("Zk3qP9xLw2TbN7yR", ":id"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", ":id"),
        ("Zk3qP9xLw2TbN7y", "Zk3qP9xLw2TbN7y"),
        ("internationalisation", "internationalisation"),
        ("documentsfor2026", "documentsfor2026"),
        (long.as_str(), ":id"),
        // E-mail addresses.
        ("jo.doe+x@mail.example.net", ":id"),
        ("jo%40example.net", ":id"),
        ("@angular", "@angular"),
        ("react@18.2.0", "react@18.2.0"),
        ("a%20b.net", "a%20b.net"),
        // Files.
        ("42.json", ":id.json"),
        ("6f9619ff-8b86-d011-b42d-00c04fc964ff.jpg", ":id.jpg"),
        ("report-123.pdf", "report-:id.pdf"),
        ("report-2026-11-21.pdf", "report-:id.pdf"),
        ("main.4f3a2b1c9d.js", "main.:id.js"),
        ("jquery-3.7.1.min.js", "jquery-3.7.1.min.js"),
        // Words with a number.
        ("order_12345", "order_:id"),
        ("user-6f9619ff-8b86-d011-b42d-00c04fc964ff", "user-:id"),
        ("chapter-1", "chapter-1"),
        ("utf-8", "utf-8"),
        ("v1.2", "v1.2"),
        ("how-to-fold-paths", "how-to-fold-paths"),
        // What is folded already.
        (":id", ":id"),
        ("*", "*"),
        ("{id}", "{id}"),
    ] {
        let path = format!("/a/{segment}/b");
        let expected = format!("/a/{expected}/b");
        let found = folded(path.as_bytes());
        assert_eq!(found.escape_ascii().to_string(), expected, "{segment}");
    }
}

#[test]
fn a_folded_path_has_its_segments_in_order() {
    let many = "/a".repeat(MAX_SEGMENTS);
    for (path, expected) in [
        ("", "/"),
        ("/", "/"),
        ("///", "/"),
        ("/users/42/", "/users/:id"),
        ("/users//42", "/users//:id"),
        ("https://www.example.net/users/42", "/users/:id"),
        ("https://www.example.net", "/"),
        ("www.example.net:443", "*"),
        ("*", "*"),
        (&many, &many),
        (&format!("{many}/"), &many),
        (&format!("{many}/b"), &format!("{many}/*")),
        (&format!("{many}/b/1/c"), &format!("{many}/*")),
    ] {
        let found = folded(path.as_bytes());
        assert_eq!(found.escape_ascii().to_string(), expected, "{path}");
    }
}

#[test]
fn neither_way_allocates() {
    let routes = Routes::new(&LISTED).unwrap();
    let paths: [&[u8]; 4] = [
        b"/v1/users/42/history",
        b"https://www.example.net/a/b/e",
        b"/orders/6f9619ff-8b86-d011-b42d-00c04fc964ff/report-123.pdf",
        b"/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8",
    ];
    let mut out = Vec::with_capacity(128);
    let measured = allocation_counter::measure(|| {
        for path in paths {
            std::hint::black_box(routes.route(path));
            fold(path, &mut out);
        }
    });
    assert_eq!(measured.count_total, 0);
}

/// Few words, so that random templates meet.
fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "dd"])
}

fn template() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => segment(), 2 => Just(":x")];
    let parts = prop::collection::vec(part, 0..5);
    (parts, any::<bool>()).prop_map(|(mut parts, rest)| {
        if rest {
            parts.push("*");
        }
        format!("/{}", parts.join("/"))
    })
}

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![9 => segment(), 1 => Just("")];
    let parts = prop::collection::vec(part, 0..6);
    parts.prop_map(|parts| format!("/{}", parts.join("/")))
}

/// What a segment of a template counts, less being better; `None` if it does not match.
fn rank(segments: &[Segment<'_>], path: &[&str]) -> Option<Vec<u8>> {
    match (segments, path) {
        ([], []) => Some(vec![]),
        ([Segment::Rest], _) => Some(vec![2]),
        ([Segment::Fixed(text), segments @ ..], [first, path @ ..])
            if *text == first.as_bytes() =>
        {
            Some([vec![0], rank(segments, path)?].concat())
        }
        ([Segment::Parameter, segments @ ..], [first, path @ ..]) if !first.is_empty() => {
            Some([vec![1], rank(segments, path)?].concat())
        }
        _ => None,
    }
}

proptest! {
    #[test]
    fn the_trie_finds_what_trying_all_templates_finds(
        templates in prop::collection::btree_set(template(), 0..20),
        paths in prop::collection::vec(path(), 1..20),
    ) {
        let templates: Vec<String> = templates.into_iter().collect();
        let routes = Routes::new(&templates).unwrap();
        for path in paths {
            let trimmed = path.trim_end_matches('/');
            let segments: Vec<&str> = trimmed.split('/').skip(1).collect();
            let matching = templates.iter().filter_map(|template| {
                let rank = rank(&template::segments(template).unwrap(), &segments)?;
                Some((rank, template.as_bytes()))
            });
            let expected = matching.min().map(|(_, template)| template);
            prop_assert_eq!(routes.route(path.as_bytes()), expected, "{}", path);
        }
    }

    #[test]
    fn any_text_is_a_template_or_refused(templates in prop::collection::vec("[/a:*{}?é]{0,8}", 0..6)) {
        match Routes::new(&templates) {
            Ok(routes) => if let Some(found) = routes.route(b"/a") {
                prop_assert!(templates.iter().any(|template| template.as_bytes() == found));
            },
            Err(faults) => for (index, fault) in faults {
                prop_assert!(templates[index].get(fault.span).is_some());
            }
        }
    }

    #[test]
    fn folding_again_changes_nothing_and_lengthens_little(
        path in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            "(https://x)?(/[a-f0-9TZ.,:@%_-]{0,20}){0,20}".prop_map(String::into_bytes),
            "(/([a-z]{1,3}[._-]|[0-9]{1,4}[._-]?|:id|[.][a-z]{1,6}){0,6}){0,20}".prop_map(String::into_bytes),
            "/[a-z0-9.@-]{50,80}/x".prop_map(String::into_bytes),
        ],
    ) {
        let once = folded(&path);
        prop_assert_eq!(folded(&once), once.clone());
        let segments = path.iter().filter(|&&byte| byte == b'/').count() + 1;
        prop_assert!(once.len() <= path.len() + segments * (ID_BYTES - 1));
        prop_assert!(once.len() <= MAX_SEGMENTS * (1 + MAX_BYTES) + 2);
    }
}

/// `:id` can stand for one byte.
const ID_BYTES: usize = 3;
