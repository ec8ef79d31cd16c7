//! The report as a page: one file that needs nothing else, with charts and their values.

use super::super::print::Shown;
use super::chart::{Line, chart, escaped, spark};
use super::figures;
use super::table::shown;
use crate::metric::Tags;
use crate::replay::report::{By, Report, Row, Window};
use crate::replay::{Outcome, Table};
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::fmt::{self, Write};

/// Rows of routes, servers or statuses: a page with more is hard to use.
const ROWS_MAX: usize = 200;

/// Services with small charts of their own, those with most requests: beyond, a page would
/// become slow.
const SPARKS_MAX: usize = 500;

pub fn html(
    outcome: &Outcome,
    rules: &[&Table],
    report: &Report,
    files: &[String],
) -> Result<String, fmt::Error> {
    let mut page = String::new();
    let files: Vec<_> = files
        .iter()
        .map(|file| match file.as_str() {
            "-" => "standard input".to_owned(),
            file => Shown(file.as_bytes()).to_string(),
        })
        .collect();
    let title = match &files[..] {
        [one] => one.clone(),
        [first, ..] => format!("{first} and {} more", files.len() - 1),
        [] => String::new(),
    };
    let title = escaped(&title);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} - weir</title><style>{}</style></head><body>\n<header><h1>{title}</h1>",
        include_str!("html.css")
    )?;
    match (outcome.from, outcome.to) {
        (Some(from), Some(to)) => {
            let (from, to) = (shown(from), shown(to));
            writeln!(page, "<p class=\"dim\">{from} to {to}</p></header>")?;
        }
        _ => writeln!(page, "<p class=\"dim\">no events with a date</p></header>")?,
    }
    if outcome.interrupted {
        writeln!(
            page,
            "<p class=\"note\" role=\"note\" id=\"interrupted\"><strong>Interrupted:</strong> this is of the {} lines that were read until then.</p>",
            figures::count(outcome.lines)
        )?;
    }
    overview(&mut page, outcome, report)?;
    page.push_str("<main>\n");
    charts(&mut page, report)?;
    let series = by_service(&report.windows);
    for (id, title, timer, rows) in [
        (
            "http",
            "HTTP services",
            "Times are the server's (Tr).",
            &report.http,
        ),
        (
            "tcp",
            "TCP services",
            "Times are how long sessions lasted (Tt).",
            &report.tcp,
        ),
    ] {
        if !rows.is_empty() {
            section(
                &mut page,
                id,
                title,
                timer,
                &["service"],
                rows,
                Some(&series),
            )?;
        }
    }
    let routes = report.routes.as_ref().filter(|rows| !rows.is_empty());
    if let Some(rows) = routes {
        let note = "Those with the highest p95 first; ids in paths are folded.";
        let labels = [&["service"], By::Route.fields()].concat();
        section(
            &mut page,
            "routes",
            "Slowest routes",
            note,
            &labels,
            rows,
            None,
        )?;
    }
    if let Some((by, rows)) = &report.by
        && *by != By::Route
    {
        let labels = [&["service"], by.fields()].concat();
        let title = format!("HTTP requests by {}", by.as_str());
        section(&mut page, "by", &title, "", &labels, rows, None)?;
    }
    for table in rules {
        rule(&mut page, table)?;
    }
    account(&mut page, outcome)?;
    writeln!(
        page,
        "</main><script>{}</script></body></html>",
        include_str!("html.js")
    )?;
    Ok(page)
}

fn overview(page: &mut String, outcome: &Outcome, report: &Report) -> fmt::Result {
    let rows = || report.http.iter().chain(&report.tcp);
    let requests: u64 = rows().map(|row| row.requests).sum();
    let failed: f64 = rows()
        .map(|row| row.errors.unwrap_or(0.0) * row.requests as f64)
        .sum();
    let bytes: f64 = rows().filter_map(|row| row.bytes).sum();
    let p99 = report.all.as_ref().and_then(|all| all.p99);
    page.push_str("<dl class=\"figures\">");
    for (name, value) in [
        ("requests", figures::count(requests)),
        (
            "per second",
            figures::rate(rows().map(|row| row.rate).sum()),
        ),
        ("errors", figures::percent(failed / requests.max(1) as f64)),
        ("p99", p99.map_or_else(|| "-".to_owned(), figures::time)),
        ("bytes", figures::bytes(bytes)),
        ("services", figures::count(rows().count() as u64)),
        ("lines rejected", figures::count(outcome.rejected())),
    ] {
        write!(
            page,
            "<div><dt>{name}</dt><dd>{}</dd></div>",
            escaped(&value)
        )?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

/// `14:05`, with the day where the log has several.
fn clock(at: Timestamp, has_days: bool) -> String {
    let text = at.to_string();
    match (
        has_days,
        text.get(5..10),
        text.get(11..16),
        text.get(11..19),
    ) {
        (true, Some(day), Some(time), _) => format!("{day} {time}"),
        (false, _, _, Some(time)) => time.strip_suffix(":00").unwrap_or(time).to_owned(),
        _ => text,
    }
}

fn charts(page: &mut String, report: &Report) -> fmt::Result {
    let (Some(first), Some(last)) = (report.windows.first(), report.windows.last()) else {
        return Ok(());
    };
    if report.all.is_none() {
        return Ok(());
    }
    let has_days =
        first.start.as_secs().div_euclid(86_400) != last.start.as_secs().div_euclid(86_400);
    let windows = every(&report.windows, report.step.as_secs());
    let labels: Vec<_> = windows.iter().map(|(at, _)| clock(*at, has_days)).collect();
    let of = |value: fn(&Row) -> Option<f64>| -> Vec<Option<f64>> {
        let rows = windows
            .iter()
            .map(|(_, window)| window.and_then(|window| window.all.as_ref()));
        rows.map(|row| row.and_then(value)).collect()
    };
    let line = |class, values, is_filled| Line {
        class,
        values,
        is_filled,
    };
    let failed: fn(&Row) -> Option<f64> = |row| row.errors.map(|errors| errors * row.rate);
    writeln!(page, "<div class=\"charts\">")?;
    figure(
        page,
        "rate",
        "Requests per second",
        &labels,
        figures::rate,
        &[
            ("requests", line("rate", of(|row| Some(row.rate)), true)),
            ("failed", line("errors", of(failed), true)),
        ],
    )?;
    figure(
        page,
        "times",
        "Response time",
        &labels,
        figures::time,
        &[
            ("p50", line("p50", of(|row| row.p50), false)),
            ("p95", line("p95", of(|row| row.p95), false)),
            ("p99", line("p99", of(|row| row.p99), false)),
        ],
    )?;
    figure(
        page,
        "errors",
        "Error ratio",
        &labels,
        figures::percent,
        &[(
            "status 500 and above",
            line("errors", of(|row| row.errors), true),
        )],
    )?;
    let step = jiff::SignedDuration::from_secs(report.step.as_secs() as i64);
    writeln!(
        page,
        "</div><p class=\"dim\">HTTP of all services, in steps of {step:#}; times are UTC.</p>"
    )
}

/// All steps from the first window to the last: one of which there is none is a gap.
fn every(windows: &[Window], step: u64) -> Vec<(Timestamp, Option<&Window>)> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        return Vec::new();
    };
    let by_start: HashMap<i64, &Window, RandomState> = windows
        .iter()
        .map(|window| (window.start.as_secs(), window))
        .collect();
    let starts = (first.start.as_secs()..=last.start.as_secs()).step_by(step.max(1) as usize);
    starts
        .map(|start| (Timestamp::from_secs(start), by_start.get(&start).copied()))
        .collect()
}

fn figure(
    page: &mut String,
    id: &str,
    title: &str,
    labels: &[String],
    show: fn(f64) -> String,
    lines: &[(&str, Line)],
) -> fmt::Result {
    write!(
        page,
        "<figure id=\"chart-{id}\"><h2>{title}</h2><p class=\"legend\">"
    )?;
    for (name, line) in lines {
        write!(
            page,
            "<span class=\"{0}\"><i class=\"{0}\"></i>{name}</span>",
            line.class
        )?;
    }
    page.push_str("</p>");
    let drawn: Vec<Line> = lines
        .iter()
        .map(|(_, line)| Line {
            values: line.values.clone(),
            ..*line
        })
        .collect();
    page.push_str(&chart(
        &format!("{title} over time; the values are in the table below"),
        &drawn,
        labels,
        show,
    ));
    write!(
        page,
        "<details><summary>Values as a table</summary><div class=\"wide\" tabindex=\"0\"><table><caption>{title}</caption><thead><tr><th scope=\"col\" class=\"name\">time (UTC)</th>"
    )?;
    for (name, _) in lines {
        write!(page, "<th scope=\"col\">{name}</th>")?;
    }
    page.push_str("</tr></thead><tbody>");
    for (place, label) in labels.iter().enumerate() {
        write!(page, "<tr><th scope=\"row\" class=\"name\">{label}</th>")?;
        for (_, line) in lines {
            let value = line.values[place].map_or_else(|| "-".to_owned(), show);
            write!(page, "<td>{}</td>", escaped(&value))?;
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div></details></figure>\n");
    Ok(())
}

/// The rates and the p95 of a service over time.
type Sparks = HashMap<Tags, (Vec<Option<f64>>, Vec<Option<f64>>), RandomState>;

fn by_service(windows: &[Window]) -> Sparks {
    let mut sparks = Sparks::default();
    for (place, window) in windows.iter().enumerate() {
        for row in &window.services {
            let none = || (vec![None; windows.len()], vec![None; windows.len()]);
            let (rates, p95s) = sparks.entry(row.tags.clone()).or_insert_with(none);
            rates[place] = Some(row.rate);
            p95s[place] = row.p95;
        }
    }
    sparks
}

fn section(
    page: &mut String,
    id: &str,
    title: &str,
    note: &str,
    labels: &[&str],
    rows: &[Row],
    sparks: Option<&Sparks>,
) -> fmt::Result {
    let rows_max = if sparks.is_some() {
        usize::MAX
    } else {
        ROWS_MAX
    };
    write!(
        page,
        "<section id=\"{id}\"><h2>{}</h2><p class=\"dim\">{note}",
        escaped(title)
    )?;
    if rows.len() > rows_max {
        write!(page, " The first {rows_max} of {}.", rows.len())?;
    }
    page.push_str("</p><div class=\"wide\" tabindex=\"0\"><table class=\"sorts\"><thead><tr>");
    for label in labels {
        write!(
            page,
            "<th scope=\"col\" class=\"name\"><button>{label}</button></th>"
        )?;
    }
    for head in [
        "requests", "per s", "errors", "p50", "p95", "p99", "max", "bytes",
    ] {
        let sorted = match head == "requests" && sparks.is_some() || head == "p95" && id == "routes"
        {
            true => " aria-sort=\"descending\"",
            false => "",
        };
        write!(
            page,
            "<th scope=\"col\"{sorted}><button>{}</button></th>",
            match (head, id) {
                ("requests", "tcp") => "sessions",
                _ => head,
            }
        )?;
    }
    if sparks.is_some() {
        page.push_str("<th scope=\"col\">rate over time</th><th scope=\"col\">p95 over time</th>");
    }
    page.push_str("</tr></thead><tbody>");
    for (place, row) in rows.iter().take(rows_max).enumerate() {
        page.push_str("<tr>");
        for (column, label) in labels.iter().enumerate() {
            let value = row.tag(label).unwrap_or("-");
            let value = escaped(&Shown(value.as_bytes()).to_string());
            match column {
                0 => write!(page, "<th scope=\"row\" class=\"name\">{value}</th>")?,
                _ => write!(page, "<td class=\"name\">{value}</td>")?,
            }
        }
        cell(
            page,
            Some(row.requests as f64),
            &figures::count(row.requests),
            false,
        )?;
        cell(page, Some(row.rate), &figures::rate(row.rate), false)?;
        let is_bad = row.errors.is_some_and(|errors| errors >= 0.01);
        let shown = |value: Option<f64>, show: fn(f64) -> String| {
            value.map_or_else(|| "-".to_owned(), show)
        };
        cell(
            page,
            row.errors,
            &shown(row.errors, figures::percent),
            is_bad,
        )?;
        for value in [row.p50, row.p95, row.p99, row.max] {
            cell(page, value, &shown(value, figures::time), false)?;
        }
        cell(page, row.bytes, &shown(row.bytes, figures::bytes), false)?;
        if let Some(sparks) = sparks {
            let own = sparks.get(&row.tags).filter(|_| place < SPARKS_MAX);
            let empty = (Vec::new(), Vec::new());
            let (rates, p95s) = own.unwrap_or(&empty);
            for (title, class, values) in [("rate", "rate", rates), ("p95", "p95", p95s)] {
                let peak = values.iter().copied().flatten().reduce(f64::max);
                let show = if class == "rate" {
                    figures::rate
                } else {
                    figures::time
                };
                let title = match peak {
                    Some(peak) => format!("{title}, at most {}", show(peak)),
                    None => format!("no {title}"),
                };
                write!(page, "<td>{}</td>", spark(&title, class, values))?;
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div></section>\n");
    Ok(())
}

fn cell(page: &mut String, value: Option<f64>, shown: &str, is_bad: bool) -> fmt::Result {
    let class = if is_bad { " class=\"bad\"" } else { "" };
    write!(
        page,
        "<td{class} data-value=\"{}\">{}</td>",
        value.unwrap_or(-1.0),
        escaped(shown)
    )
}

/// What one of the user's own rules says of the whole log.
fn rule(page: &mut String, table: &Table) -> fmt::Result {
    let mut text = String::new();
    super::table::rows(&mut text, table)?;
    writeln!(
        page,
        "<section><h2>Rule {}</h2><div class=\"wide\" tabindex=\"0\"><pre><code>{}</code></pre></div></section>",
        escaped(&table.rule),
        escaped(&text)
    )
}

fn account(page: &mut String, outcome: &Outcome) -> fmt::Result {
    let mut text = String::new();
    super::table::account(&mut text, outcome)?;
    write!(page, "<section id=\"lines\"><h2>Lines</h2>")?;
    for line in text.trim().lines() {
        write!(page, "<p>{}</p>", escaped(line))?;
    }
    for (reason, line) in outcome.samples() {
        let dots = |bytes| if bytes > 0 { "..." } else { "" };
        let stuck = match line.stuck.as_deref() {
            Some("") => " (end of the line)",
            stuck => stuck.unwrap_or_default(),
        };
        write!(
            page,
            "<p class=\"dim\">Rejected as {reason}, for example: {}</p><p><code>{}{}<mark>{}</mark>{}{}</code></p>",
            escaped(&line.why),
            dots(line.left_out_before),
            escaped(&line.before),
            escaped(stuck),
            escaped(&line.after),
            dots(line.left_out_after),
        )?;
    }
    page.push_str("</section>\n");
    Ok(())
}
