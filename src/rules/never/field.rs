//! What fields can be, and which kinds of lines have them.

use super::fact::Fact;
use crate::haproxy::{Field, Kind};
use crate::rules::expr::{Double, Int, Text};
use bstr::BString;

/// The kinds that rules see: HAProxy's own messages are kept from them.
pub(super) const KINDS: [Kind; 4] = [Kind::Http, Kind::Tcp, Kind::Error, Kind::Connect];

/// Whether a line of that kind can have the field: for a bool, whether it can be true.
///
/// By the formats a kind can have. Those with a field of requests are of kind `http`, so no
/// format of sessions has one. The error format can be written by hand with anything in it;
/// the one of `Connect from` cannot.
pub(super) fn can_have(kind: Kind, field: Field) -> bool {
    match (kind, field) {
        // Only HAProxy's own messages tell it.
        (_, Field::State) => false,
        (Kind::Connect, _) => matches!(
            field,
            Field::Kind
                | Field::Host
                | Field::Process
                | Field::Pid
                | Field::ClientIp
                | Field::ClientPort
                | Field::Frontend
                | Field::Extra
        ),
        (Kind::Tcp, _) => !matches!(
            field,
            Field::RequestDate
                | Field::Tq
                | Field::TR
                | Field::Tr
                | Field::Ta
                | Field::Ti
                | Field::Status
                | Field::RequestCookie
                | Field::ResponseCookie
                | Field::Request
                | Field::Method
                | Field::Path
                | Field::Query
                | Field::HttpVersion
        ),
        _ => true,
    }
}

/// The least and the greatest that a number can be, as far as the parser lets it through.
pub(super) fn range(number: &Double) -> Option<(f64, f64)> {
    let Double::Of(int) = number else { return None };
    let field = match int {
        Int::Length(_) | Int::Count(_) => return Some((0.0, f64::INFINITY)),
        Int::Field(field) => field,
        _ => return None,
    };
    match field {
        Field::ClientPort => Some((0.0, 65_535.0)),
        Field::Status => Some((0.0, 999.0)),
        Field::Tq
        | Field::TR
        | Field::Tw
        | Field::Tc
        | Field::Tr
        | Field::Td
        | Field::Ta
        | Field::Tt
        | Field::Th
        | Field::Ti
        | Field::Tu
        | Field::BytesRead
        | Field::BytesUploaded
        | Field::Retries
        | Field::SrvQueue
        | Field::BackendQueue => Some((0.0, f64::INFINITY)),
        // Counts of connections have been seen below zero.
        _ => None,
    }
}

/// Why a text cannot be as the fact has it: the reason and the hint.
pub(super) fn impossible(text: &Text, fact: &Fact<BString>) -> Option<(String, String)> {
    match text {
        Text::Field(Field::Kind) => {
            if KINDS.iter().any(|kind| fact.accepts(&as_text(*kind))) {
                return None;
            }
            let known = KINDS.map(Kind::as_str);
            let values = fact.values().unwrap_or_default();
            let kinds = crate::source::listed(&known);
            Some(match values {
                [one] if *one == as_text(Kind::Event) => (
                    "rules never see lines of kind `event`".into(),
                    format!("HAProxy's own messages are not measured; the kinds that are: {kinds}"),
                ),
                [one] => (
                    format!("no line is of kind `{one}`"),
                    crate::source::did_you_mean(&one.to_string(), known)
                        .unwrap_or_else(|| format!("the kinds are {kinds}")),
                ),
                _ => (
                    format!("there is no line whose kind {}", fact.words()),
                    format!("the kinds are {kinds}"),
                ),
            })
        }
        // `%ts` and `%tsc`.
        Text::Field(Field::TerminationState) => {
            let values = fact.values()?;
            let other = values
                .iter()
                .all(|value| value.len() != 2 && value.len() != 4);
            other.then(|| {
                (
                    format!(
                        "`termination_state` {}, but it has 2 or 4 characters",
                        fact.words()
                    ),
                    "its first characters are tested by `termination_state.startsWith(\"x\")`"
                        .into(),
                )
            })
        }
        _ => None,
    }
}

pub(super) fn as_text(kind: Kind) -> BString {
    kind.as_str().into()
}
