//! Each case is a file and what it says. The `.cfg` files beside this one are also
//! given to a real HAProxy, by `tests/it/haproxy_config.rs`.

use super::*;
use crate::haproxy::built_in;
use proptest::prelude::*;
use std::fmt::Write;

fn env(name: &str) -> Option<OsString> {
    match name {
        "FORMAT" => Some("%ci %[var(txn.a)]".into()),
        "HOME" => Some("/users/me".into()),
        "HAPROXY_TCP_LOG_FMT" => Some("not this one".into()),
        "EMPTY" => Some("".into()),
        _ => None,
    }
}

fn read_text(text: &str) -> Result<HaproxyConfig, Vec<Problem>> {
    read(&Source::new("haproxy.cfg", text), &env)
}

/// The sections a line or a few each, and the warnings; or the problems as people see
/// them.
fn said(text: &str) -> String {
    match read_text(text) {
        Ok(config) => told(&config),
        Err(problems) => rendered(&problems),
    }
}

fn told(config: &HaproxyConfig) -> String {
    let mut told = String::new();
    for proxy in &config.proxies {
        writeln!(told, "{}", proxy.name).unwrap();
        for format in &proxy.formats {
            let purpose = format!("{:?}", format.purpose).to_lowercase();
            match &format.text {
                FormatText::BuiltIn(built_in) => writeln!(told, "  {purpose}: {built_in:?}"),
                FormatText::Custom(text) => writeln!(told, "  {purpose}: <{}>", text.text),
            }
            .unwrap();
        }
        for (direction, names) in [
            ("request", &proxy.request_captures),
            ("response", &proxy.response_captures),
        ] {
            if !names.is_empty() {
                writeln!(told, "  {direction}: <{}>", names.join("> <")).unwrap();
            }
        }
        if let Some(tag) = &proxy.log_tag {
            writeln!(told, "  tag: {tag}").unwrap();
        }
        if !proxy.profile_tags.is_empty() {
            writeln!(told, "  profiles' tags: {}", proxy.profile_tags.join(", ")).unwrap();
        }
    }
    for warning in &config.warnings {
        writeln!(told, "warning: {warning}").unwrap();
    }
    told
}

fn rendered(problems: &[Problem]) -> String {
    let rendered: Vec<_> = problems.iter().map(Problem::render).collect();
    rendered.join("\n\n")
}

/// The only format of the only section.
fn format_of(text: &str) -> Arc<ConfigText> {
    let config = read_text(text).unwrap_or_else(|problems| panic!("{}", rendered(&problems)));
    match &config.proxies[0].formats[0].text {
        FormatText::Custom(text) => Arc::clone(text),
        FormatText::BuiltIn(_) => panic!("no custom format"),
    }
}

#[test]
fn words_are_cut_as_haproxy_cuts_them() {
    insta::assert_snapshot!(said(include_str!("lexing.cfg")), @r#"
    escaped
      traffic: <%ci %cp # \ "%ft" 'A	z>
      error: Error
    weak
      traffic: <%ci # ' "%ft" \ $HOME A hello world.>
      error: Error
    strong
      traffic: <%ci # "%ft" \ $HOME ${HOME}>
      error: Error
    glued
      traffic: <%ci %cp \[%ft]!>
      error: Error
    defaulted
      traffic: <hello world a default defaulted:28>
      error: Error
    outside
      traffic: <$GREETING\$ci>
      error: Error
    expanded
      traffic: Connect
      error: Error
      request: <src>
    literal
      traffic: <\1\q %ci>
      error: Error
    "#);
}

#[test]
fn the_last_format_counts_and_tcp_has_no_http_formats() {
    insta::assert_snapshot!(said(include_str!("formats.cfg")), @r#"
    none
      traffic: Connect
      error: Error
      tag: edge
    inherited
      traffic: HttpLog
      error: Error
      tag: edge
    clf
      traffic: HttpLogClf
      error: Error
      tag: clf
    https
      traffic: HttpsLog
      error: Error
      tag: edge
    tcp
      traffic: TcpLog
      error: Error
      tag: edge
    fallen-back
      traffic: TcpLog
      error: Error
      tag: edge
    clf-fallen-back
      traffic: TcpLogClf
      traffic: TcpLog
      error: Error
      tag: edge
    last-wins
      traffic: <%ci %ST>
      error: <%ci %[fc_err]>
      tag: edge
    custom-in-tcp
      traffic: <%ci %ts>
      error: Error
      tag: edge
    afresh
      traffic: <%ci %cp>
      error: Error
      tag: later
    unlogged
      traffic: <%ci %cp>
      error: Error
      tag: later
    warning: haproxy.cfg:54:3: `log-format` overrides `option tcplog`
    warning: haproxy.cfg:15:3: `option httplog` needs `mode http`, and `fallen-back` is in `mode tcp`
    warning: haproxy.cfg:36:3: `option httplog clf` needs `mode http`, and `clf-fallen-back` is in `mode tcp`
    "#);
}

#[test]
fn sections_inherit_from_the_last_defaults_or_the_named_ones() {
    insta::assert_snapshot!(said(include_str!("inheritance.cfg")), @r#"
    last-defaults
      traffic: <late %ci>
      error: <web error %ci>
      tag: base
    from-base
      traffic: <base %ci>
      error: Error
      tag: base
    from-web
      traffic: <own %ci>
      error: <web error %ci>
      tag: base
    same-name
      traffic: <base %ci>
      error: <web error %ci>
      tag: base
    "#);
}

#[test]
fn captures_take_slots_in_the_order_of_the_file() {
    insta::assert_snapshot!(said(include_str!("captures.cfg")), @r#"
    mixed
      traffic: HttpLog
      error: Error
      request: <Host> <User-Agent> <> <X-Request-Id> <req.len> <path lower> <Cookie> <req.hdr(cookie,-1),lower>
      response: <Server> <Content-Type>
    from-backends
      traffic: HttpLog
      error: Error
      request: <X-User> <>
      response: <>
    no-captures
      traffic: HttpLog
      error: Error
    "#);
}

#[test]
fn only_the_branches_that_hold_are_read() {
    insta::assert_snapshot!(said(include_str!("conditions.cfg")), @r#"
    chain
      traffic: <inner else>
      error: Error
    nested
      traffic: <outer>
      error: Error
    version
      traffic: <new>
      error: Error
    warning: haproxy.cfg:41:3: what is logged depends on HAProxy's version or build
    "#);
}

#[test]
fn haproxys_own_formats_are_variables() {
    insta::assert_snapshot!(said(r#"
frontend tcp
  log-format "$HAPROXY_TCP_LOG_FMT %[src]"
frontend clf
  log-format "${HAPROXY_TCP_CLF_LOG_FMT}"
frontend given
  log-format "$FORMAT"
"#), @r#"
    tcp
      traffic: <%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq %[src]>
      error: Error
    clf
      traffic: <%{+Q}o %{-Q}ci - - [%T] "TCP " 000 %B "" "" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc %sq %bq "" "" >
      error: Error
    given
      traffic: <%ci %[var(txn.a)]>
      error: Error
    "#);
    for (name, format) in [
        ("HTTP", built_in::HTTPLOG),
        ("HTTPS", built_in::HTTPSLOG),
        ("HTTP_CLF", built_in::HTTPLOG_CLF),
    ] {
        let text = format!("frontend a\n  log-format \"$HAPROXY_{name}_LOG_FMT\"\n");
        assert_eq!(format_of(&text).text, format);
    }
}

#[test]
fn an_unset_variable_is_empty_and_told() {
    insta::assert_snapshot!(said(r#"
global
  setenv SET a
  unsetenv HOME
frontend one
  log-format "a${NOT_SET}b$HOME<${EMPTY-default}>"
  bind "$NOT_SET_EITHER"
  log-format-sd "$NOR_THIS"
global
  resetenv SET
frontend two
  log-format "a$SET$FORMAT"
frontend three
  log "${NOR_WHERE_TO}:514" len 4096 local0
  # The quote and the blank after a variable without a value vanish with it.
  log-format "a $NOT_SET" b
"#), @r#"
    one
      traffic: <ab<>>
      error: Error
    two
      traffic: <aa>
      error: Error
    three
      traffic: <a b>
      error: Error
    warning: haproxy.cfg:6:16: variable `NOT_SET` is not set, so it is empty here
    warning: haproxy.cfg:6:27: variable `HOME` is not set, so it is empty here
    warning: haproxy.cfg:12:20: variable `FORMAT` is not set, so it is empty here
    warning: haproxy.cfg:16:17: variable `NOT_SET` is not set, so it is empty here
    "#);
}

#[test]
fn profiles_give_their_targets_formats() {
    insta::assert_snapshot!(said(r#"
global
  log 10.0.0.1 format rfc5424 sample 1:2 profile json local0
log-profile json
  log-tag json
  on any format "any %ci" sd "[a@1]"
  on close format "close %ci"
  on error drop
log-profile raw
  on accept format "accept %ci"
  on close drop
  on error format "error %ci"
log-profile steps
  on http-req format "do-log %ci"
  on close sd "[a@1]"
frontend only-json
  option httplog
  log global
  log global
frontend plain-and-raw
  log-format "own %ci"
  error-log-format "own error %ci"
  log 10.0.0.1 local0
  log 10.0.0.2 len 4096 profile raw local0 info
frontend by-a-rule
  log 10.0.0.1 local0
  http-request do-log profile steps if TRUE
frontend silent
  log global
  no log
log-profile nothing
  on any drop
frontend dropped
  log 10.0.0.1 profile nothing local0
"#), @r#"
    only-json
      traffic: <close %ci>
      traffic: <any %ci>
      profiles' tags: json
    plain-and-raw
      traffic: <own %ci>
      traffic: <accept %ci>
      error: <own error %ci>
      error: <error %ci>
    by-a-rule
      traffic: Connect
      traffic: <do-log %ci>
      error: Error
    silent
      traffic: Connect
      error: Error
    dropped
    warning: haproxy.cfg:17:3: `option httplog` needs `mode http`, and `only-json` is in `mode tcp`
    "#);
}

#[test]
fn old_files_and_other_line_ends_are_read() {
    let text = "\u{b}listen old 10.0.0.1:80\r\n\tmode http\r\n\toption\thttplog\r\nfrontend last\r\n  log-format a";
    insta::assert_snapshot!(said(text), @r#"
    old
      traffic: HttpLog
      error: Error
    last
      traffic: <a>
      error: Error
    "#);
}

#[test]
fn what_depends_on_haproxys_version_is_told_once() {
    insta::assert_snapshot!(said("
frontend a
  .if version_atleast(2.8) && defined(HOME)
    bind :80
  .else
    log-format old
    log-format older
  .endif
  .if !feature(QUIC)
    bind :81
  .elif strneq(a,b)
    option tcplog
  .endif
"), @r#"
    a
      traffic: TcpLog
      error: Error
    warning: haproxy.cfg:3:3: what is logged depends on HAProxy's version or build
    warning: haproxy.cfg:9:3: what is logged depends on HAProxy's version or build
    "#);
}

#[test]
fn a_span_goes_back_to_the_file() {
    let text = r#"frontend a
  log-format "%ci \"q\" ${FORMAT}"'x y'\x41\ ${z}"${NO-%cp d}" # end
"#;
    let format = format_of(text);
    assert_eq!(format.text, r#"%ci "q" %ci %[var(txn.a)]x yA ${z}%cp d"#);
    let at = |part: &str| {
        let start = format.text.find(part).unwrap();
        &text[format.span(start..start + part.len())]
    };
    assert_eq!(at("%ci"), "%ci");
    assert_eq!(at("\"q\""), r#"\"q\""#);
    assert_eq!(at("ci \"q"), r#"ci \"q"#);
    assert_eq!(at("%[var(txn.a)]"), "${FORMAT}");
    assert_eq!(at("a)]x"), r#"${FORMAT}"'x"#);
    assert_eq!(at("x y"), "x y");
    assert_eq!(at("A"), r"\x41");
    assert_eq!(at("yA ${"), r"y'\x41\ ${");
    assert_eq!(at("%cp d"), "%cp d");
    assert_eq!(at("}%cp"), "}\"${NO-%cp");
    // Empty ranges, and those beyond the end.
    let place = |at: usize| format.span(at..at);
    assert_eq!(place(0), text.find("%ci").map(|at| at..at).unwrap());
    let end = text.find("}\" #").unwrap();
    assert_eq!(place(format.text.len()), end..end);
    assert_eq!(place(9_999), end..end);
    assert_eq!(format.span(9_999..10_000), end..end);
}

#[test]
fn lines_that_cannot_be_cut_are_problems() {
    insta::assert_snapshot!(said(r#"
frontend a
  log-format "%ci
  log-format 'it''s
  log-format \x4g
  log-format "$1"
  log-format "${FORMAT"
  log-format "${FORMAT[0]}"
  log-format "${.NOTHING}"
  log-format "\xff"
"#), @r#"
    haproxy.cfg:3:14: a quote that is not closed
      |
    3 |   log-format "%ci
      |              ^

    hint: close it on the same line: HAProxy has no line continuation

    haproxy.cfg:4:18: a quote that is not closed
      |
    4 |   log-format 'it''s
      |                  ^

    hint: close it on the same line: HAProxy has no line continuation

    haproxy.cfg:5:14: `\x` without two hexadecimal digits
      |
    5 |   log-format \x4g
      |              ^^

    hint: write `\\` for a backslash

    haproxy.cfg:6:15: `$` inside double quotes begins a variable, and no variable's name follows
      |
    6 |   log-format "$1"
      |               ^

    hint: write `\$` for a dollar sign, or use single quotes

    haproxy.cfg:7:15: a brace that is not closed
      |
    7 |   log-format "${FORMAT"
      |               ^^

    hint: a variable is written `${NAME}` or `${NAME-default}`

    haproxy.cfg:8:23: only `[*]` may stand here
      |
    8 |   log-format "${FORMAT[0]}"
      |                       ^

    hint: it makes several words of a value with blanks

    haproxy.cfg:9:15: `$` inside double quotes begins a variable, and no variable's name follows
      |
    9 |   log-format "${.NOTHING}"
      |               ^

    hint: write `\$` for a dollar sign, or use single quotes

    haproxy.cfg:10:14: not UTF-8
       |
    10 |   log-format "\xff"
       |              ^^^^^^

    hint: its `\x` escapes or its variables make bytes that are no characters
    "#);
}

#[test]
fn directives_that_haproxy_refuses_are_problems() {
    insta::assert_snapshot!(said(r#"
defaults
  capture request header Host len 10
frontend a
  log-format %ci %cp
  log-format ""
  no log-format
  no option httplog
  option httplog clv
  capture request header Host
  capture request header Host len many
  declare capture response len 0
  capture something
  http-request capture req.hdr(Host)
  http-request capture req.hdr(Host) id one
  http-request capture req.hdr(Host) id 0
  http-request capture req.hdr(Host) id 300
  http-response capture res.hdr(Server) len 10
  log-tag
frontend
log-profile p
  on close
  on close fmt "%ci"
log-profile
global
  setenv A
"#), @r#"
    haproxy.cfg:3:3: `capture` in a defaults section
      |
    3 |   capture request header Host len 10
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    hint: HAProxy takes it in `frontend` and `listen` only

    haproxy.cfg:5:18: `log-format` takes one argument
      |
    5 |   log-format %ci %cp
      |                  ^^^

    hint: put all of it into quotes, or write a backslash before each blank

    haproxy.cfg:6:3: `log-format` without its argument
      |
    6 |   log-format ""
      |   ^^^^^^^^^^

    hint: an empty argument counts as none

    haproxy.cfg:7:3: `no` cannot stand before `log-format`
      |
    7 |   no log-format
      |   ^^

    hint: HAProxy takes it before `option` and `log` only

    haproxy.cfg:8:3: `no option httplog` does not exist
      |
    8 |   no option httplog
      |   ^^^^^^^^^^^^^^^^^

    hint: to change a format, set another one: the last one counts

    haproxy.cfg:9:18: `option httplog` takes nothing but `clf`
      |
    9 |   option httplog clv
      |                  ^^^

    hint: a format of your own goes into `log-format`

    haproxy.cfg:10:3: a capture without its length
       |
    10 |   capture request header Host
       |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^

    hint: it is `capture request header NAME len LENGTH`

    haproxy.cfg:11:35: a capture's length is a number of at least 1
       |
    11 |   capture request header Host len many
       |                                   ^^^^

    hint: it is `capture request header NAME len LENGTH`

    haproxy.cfg:12:32: a capture's length is a number of at least 1
       |
    12 |   declare capture response len 0
       |                                ^

    hint: it is `declare capture response len LENGTH`

    haproxy.cfg:13:3: `capture` of neither a cookie nor a header
       |
    13 |   capture something
       |   ^^^^^^^^^^^^^^^^^

    hint: it is `capture cookie`, `capture request header` or `capture response header`

    haproxy.cfg:14:3: a capture without `len` or `id`
       |
    14 |   http-request capture req.hdr(Host)
       |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    hint: it is `capture EXPRESSION len LENGTH`, or `capture EXPRESSION id SLOT`

    haproxy.cfg:15:41: a slot's id is a number
       |
    15 |   http-request capture req.hdr(Host) id one
       |                                         ^^^

    hint: slots are counted from 0

    haproxy.cfg:17:41: more than 256 capture slots
       |
    17 |   http-request capture req.hdr(Host) id 300
       |                                         ^^^

    hint: weir reads no more than that

    haproxy.cfg:18:41: this capture can only use a slot that is declared elsewhere
       |
    18 |   http-response capture res.hdr(Server) len 10
       |                                         ^^^

    hint: write `id SLOT`, slots being counted from 0

    haproxy.cfg:19:3: `log-tag` without its argument
       |
    19 |   log-tag
       |   ^^^^^^^

    hint: an empty argument counts as none

    haproxy.cfg:16:41: `a` has no capture slot 0
       |
    16 |   http-request capture req.hdr(Host) id 0
       |                                         ^

    hint: slots are counted from 0; `declare capture` makes one

    haproxy.cfg:20:1: `frontend` without a name
       |
    20 | frontend
       | ^^^^^^^^

    hint: give it one: lines carry it

    haproxy.cfg:22:3: `on` without an event and what to do
       |
    22 |   on close
       |   ^^^^^^^^

    hint: it is `on EVENT format FORMAT`, or `on EVENT drop`

    haproxy.cfg:23:12: `on close` takes `format`, `sd` and `drop` here
       |
    23 |   on close fmt "%ci"
       |            ^^^

    hint: a format with blanks is put into quotes

    haproxy.cfg:24:1: `log-profile` without a name
       |
    24 | log-profile
       | ^^^^^^^^^^^

    hint: `log … profile NAME` uses it by its name

    haproxy.cfg:26:3: `setenv` without a name and a value
       |
    26 |   setenv A
       |   ^^^^^^^^

    hint: an empty argument counts as none
    "#);
}

#[test]
fn names_that_do_not_go_together_are_problems() {
    insta::assert_snapshot!(said("
defaults web
defaults twice
defaults twice
log-profile json
log-profile json
backend a
frontend a from wep
listen a from web
frontend b from twice
  log 10.0.0.1 profile jsn local0
defaults other from nobody-of-that-name
backend c from nobody
  log 10.0.0.1 profile nothing-like-it local0
"), @r#"
    haproxy.cfg:6:13: a second log profile named `json`
      |
    6 | log-profile json
      |             ^^^^
      |
    note: the first is here
     --> haproxy.cfg:5:13
      |
    5 | log-profile json
      |             ----

    hint: rename one of them

    haproxy.cfg:8:17: no defaults section is named `wep`
      |
    8 | frontend a from wep
      |                 ^^^

    hint: did you mean `web`?

    haproxy.cfg:9:8: a second frontend or listen section named `a`
      |
    9 | listen a from web
      |        ^
      |
    note: the first is here
     --> haproxy.cfg:8:10
      |
    8 | frontend a from wep
      |          -

    hint: rename one: their lines could not be told apart

    haproxy.cfg:10:17: two defaults sections are named `twice`
       |
    10 | frontend b from twice
       |                 ^^^^^
       |
    note: one is here
      --> haproxy.cfg:4:10
       |
     4 | defaults twice
       |          -----

    hint: rename one of them

    haproxy.cfg:12:21: no defaults section is named `nobody-of-that-name`
       |
    12 | defaults other from nobody-of-that-name
       |                     ^^^^^^^^^^^^^^^^^^^

    hint: they must stand before what uses them

    haproxy.cfg:13:16: no defaults section is named `nobody`
       |
    13 | backend c from nobody
       |                ^^^^^^

    hint: they must stand before what uses them

    haproxy.cfg:11:24: no log profile is named `jsn`
       |
    11 |   log 10.0.0.1 profile jsn local0
       |                        ^^^

    hint: did you mean `json`?

    haproxy.cfg:14:24: no log profile is named `nothing-like-it`
       |
    14 |   log 10.0.0.1 profile nothing-like-it local0
       |                        ^^^^^^^^^^^^^^^

    hint: add a section `log-profile nothing-like-it`
    "#);
}

#[test]
fn blocks_that_do_not_nest_end_the_reading() {
    let first = |text: &str| {
        let problems = read_text(text).unwrap_err();
        assert_eq!(problems.len(), 1);
        problems[0].to_string()
    };
    for (text, expected) in [
        (".if 1\n", "1:1: `.if` without an `.endif`"),
        (".else\n\"", "1:1: `.else` without an `.if`"),
        (".if 0\n.else\n.elif 1\n\"", "3:1: `.elif` after `.else`"),
        (
            ".if 0\n.endif\n.endif\n\"",
            "3:1: `.endif` without an `.if`",
        ),
        (
            ".if streq(a) # c\n\"",
            "1:5: a condition that cannot be read",
        ),
        (
            ".if 1\n.alert no\n\"",
            "2:1: HAProxy stops at this `.alert`",
        ),
    ] {
        assert_eq!(first(text), format!("haproxy.cfg:{expected}"));
    }
    let nested = ".if 1\n".repeat(16);
    assert_eq!(
        first(&nested),
        "haproxy.cfg:16:1: more than 15 nested `.if`"
    );
}

#[test]
fn every_bound_is_told() {
    let only = |text: String| {
        let problems = read_text(&text).unwrap_err();
        let last = problems.last().unwrap();
        format!("{} of {}", last.message, problems.len())
    };
    let lines = |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
    let captures = lines(257, |n| format!("capture request header h{n} len 9\n"));
    assert_eq!(
        only(format!("frontend a\n{captures}")),
        "more than 256 capture slots of 1"
    );
    let targets = "log 10.0.0.1 local0\n".repeat(33);
    assert_eq!(
        only(format!("frontend a\n{targets}")),
        "more than 32 log targets in one section of 1"
    );
    let steps = lines(65, |n| format!("on e{n} format {n}\n"));
    assert_eq!(
        only(format!("log-profile p\n{steps}")),
        "more than 64 events in one profile of 1"
    );
    let steps = lines(64, |n| format!("on e{n} format {n}\n"));
    let user = "frontend a\n log 10.0.0.1 profile p local0\n";
    assert_eq!(
        only(format!("log-profile p\n{steps}{user}")),
        "the lines of `a` have more than 64 formats of 1"
    );
    let sections = lines(10_001, |n| format!("frontend f{n}\n"));
    assert_eq!(
        only(sections),
        "more than 10000 frontend, listen and defaults sections of 1"
    );
    let doubled = "setenv A \"$A$A\"\n".repeat(40);
    assert_eq!(
        only(format!("global\nsetenv A a\n{doubled}")),
        "variables bring more than 4194304 bytes into this file of 1"
    );
    let quotes = "log-format \"\n".repeat(1_000);
    assert_eq!(only(quotes), "a quote that is not closed of 50");
}

/// Pieces that files are made of, so that made-up ones get beyond their first line.
fn pieces() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "frontend a\n",
        "listen b from d\n",
        "defaults d\n",
        "defaults\n",
        "global\n",
        "backend c\n",
        "log-profile p\n",
        "log global\n",
        "log x profile p local0\n",
        "log-format ",
        "error-log-format ",
        "on any format ",
        "on close drop\n",
        "option httplog\n",
        "no ",
        "default ",
        "mode http\n",
        "capture request header H len 9\n",
        "declare capture response len 1\n",
        "http-request capture ",
        "req.hdr(a)",
        " id 0",
        " len 4",
        "setenv A ",
        "resetenv A\n",
        "\"$A\"",
        "\"${A[*]}\"",
        "\"${B-c d}\"",
        "${",
        "$",
        "\"",
        "'",
        "\\",
        "\\x4",
        "#",
        " ",
        "\t",
        "\r",
        "\n",
        "\0",
        "é",
        ".if ",
        ".elif ",
        ".else\n",
        ".endif\n",
        "defined(A)",
        "streq(a,",
        "!",
        "&&",
        "||",
        "(",
        ")",
        "1",
        "[scope]\n",
        ".LINE",
        "log-tag ",
    ];
    let piece = prop_oneof![
        9 => prop::sample::select(WORDS).prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A format in all its spellings, which most often can be read.
fn formats() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "%ci",
        "é",
        "a",
        "'",
        "\"",
        "\\",
        "\\ ",
        "\\#",
        "\\x41",
        "\"$FORMAT\"",
        "\"${NO-b c}\"",
        "\"$NO\"",
        "' # '",
        "\" \"",
        "\"${NO[*]-a}\"",
    ];
    let parts = prop::collection::vec(prop::sample::select(PARTS), 0..20);
    parts.prop_map(|parts| format!("frontend a\n  log-format x{}\n", parts.concat()))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![pieces(), formats(), any::<String>()]) {
        match read_text(&text) {
            Ok(config) => {
                for warning in &config.warnings {
                    warning.render();
                }
                for format in config.proxies.iter().flat_map(|proxy| &proxy.formats) {
                    let FormatText::Custom(format) = &format.text else { continue };
                    let mut before = 0;
                    for (start, character) in format.text.char_indices() {
                        let span = format.span(start..start + character.len_utf8());
                        prop_assert!(before <= span.start);
                        before = span.start;
                        prop_assert!(text.get(span).is_some_and(|part| !part.is_empty()));
                    }
                }
            }
            Err(problems) => {
                prop_assert!((1..=50).contains(&problems.len()));
                for problem in problems {
                    problem.render();
                }
            }
        }
    }
}
