//! Marks on a service's charts: what happened, beside what was measured.
//!
//! Whether an annotation concerns a service can be told for sure only where it names a
//! proxy that is one. A mark too many costs a glance, a missing one the night: so all are
//! shown but those that name another service.

use crate::haproxy::State;
use crate::metric::Annotation;
use crate::notices;
use crate::store::Store;
use serde::Serialize;

/// Marks that one service's charts have: the newest.
pub const MARKS_MAX: usize = 500;

/// Annotations that are looked through for them: one that flaps must not hide the others.
const ANNOTATIONS_MAX: usize = 5_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Epoch seconds.
    pub time: i64,
    /// `None`: it took no time, or has not ended.
    pub end: Option<i64>,
    pub title: String,
    /// Where it happened, such as a host.
    pub source: Option<String>,
    pub description: Option<String>,
    pub stream: String,
    pub kind: MarkKind,
}

/// How a mark looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// Something no longer works.
    Bad,
    /// It works again.
    Ok,
    Info,
}

/// The marks of `service` in `from..=to`, the newest first. `services` are all there are.
pub fn marks(store: &Store, service: &str, services: &[&str], from: i64, to: i64) -> Vec<Mark> {
    let annotations = store.annotations(from, to, ANNOTATIONS_MAX);
    let concerning = annotations
        .iter()
        .filter(|annotation| concerns(annotation, service, services));
    concerning.take(MARKS_MAX).map(Mark::of).collect()
}

fn concerns(annotation: &Annotation, service: &str, services: &[&str]) -> bool {
    let Some(subject) = notices::subject(annotation) else {
        return true;
    };
    let is_subject = |name: &str| name.eq_ignore_ascii_case(subject);
    is_subject(service) || !services.iter().any(|name| is_subject(name))
}

impl Mark {
    fn of(annotation: &Annotation) -> Mark {
        let kind = match notices::state(annotation) {
            Some(State::Down | State::NoServer | State::AtLimit) => MarkKind::Bad,
            Some(State::Up) => MarkKind::Ok,
            _ => MarkKind::Info,
        };
        Mark {
            time: annotation.start.as_secs(),
            end: annotation.end.map(|end| end.as_secs()),
            title: annotation.title.to_string(),
            source: annotation.source.as_deref().map(str::to_owned),
            description: annotation.description.as_deref().map(str::to_owned),
            stream: annotation.stream.to_string(),
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn annotation(stream: &str, title: &str) -> Annotation {
        Annotation {
            stream: stream.into(),
            title: title.into(),
            source: Some("lb1".into()),
            description: None,
            start: Timestamp::from_millis(7_900),
            end: Some(Timestamp::from_secs(9)),
        }
    }

    #[test]
    fn a_service_sees_all_but_what_names_another_service() {
        let services = ["Users", "search"];
        for (stream, title, users, search) in [
            ("haproxy.server", "users/users-1 DOWN", true, false),
            ("haproxy.server", "search/users-1 DOWN", false, true),
            ("haproxy.server", "pool-7/s1 DOWN", true, true),
            (
                "haproxy.backend",
                "search: no server available",
                false,
                true,
            ),
            ("haproxy.proxy", "users started", true, false),
            ("haproxy.message", "users started", true, true),
            ("deploys", "search 4.2", true, true),
        ] {
            let annotation = annotation(stream, title);
            let seen = ["users", "search"].map(|name| concerns(&annotation, name, &services));
            assert_eq!(seen, [users, search], "{stream} {title}");
        }
    }

    #[test]
    fn only_what_haproxy_says_is_good_or_bad() {
        for (stream, title, kind) in [
            ("haproxy.server", "users/users-1 DOWN", MarkKind::Bad),
            (
                "haproxy.backend",
                "users: no server available",
                MarkKind::Bad,
            ),
            ("haproxy.proxy", "users at limit", MarkKind::Bad),
            ("haproxy.server", "users/users-1 UP", MarkKind::Ok),
            ("haproxy.server", "users/users-1 MAINT", MarkKind::Info),
            ("haproxy.message", "users/users-1 DOWN", MarkKind::Info),
            ("deploys", "users/users-1 DOWN", MarkKind::Info),
        ] {
            assert_eq!(Mark::of(&annotation(stream, title)).kind, kind, "{title}");
        }
    }

    #[test]
    fn a_mark_is_what_the_page_reads() {
        let mark = Mark::of(&annotation("haproxy.server", "users/users-1 DOWN"));
        insta::assert_snapshot!(
            serde_json::to_string(&mark).unwrap(),
            @r#"{"time":7,"end":9,"title":"users/users-1 DOWN","source":"lb1","description":null,"stream":"haproxy.server","kind":"bad"}"#
        );
    }
}
