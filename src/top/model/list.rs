//! The list of services as it is looked at: sorted, filtered, with a cursor, scrolled.
//!
//! The server's order, the worst first, is the default. Until the cursor is moved it is on
//! whatever comes first, so that new trouble is never above what is seen; moved, it stays on
//! its service wherever that goes, so that Enter opens what was chosen.

use crate::top::wire::{Service, Services};
use std::cmp::Ordering;

/// Characters of a filter.
const FILTER_MAX: usize = 200;

/// What rows are sorted by, in the order of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    #[default]
    Trouble,
    Service,
    Rate,
    P50,
    P95,
    P99,
    Errors,
}

impl Column {
    pub const ALL: [Column; 7] = [
        Column::Trouble,
        Column::Service,
        Column::Rate,
        Column::P50,
        Column::P95,
        Column::P99,
        Column::Errors,
    ];

    pub fn number(self, service: &Service) -> Option<f64> {
        match self {
            Column::Trouble | Column::Service => None,
            Column::Rate => service.rate,
            Column::P50 => service.p50,
            Column::P95 => service.p95,
            Column::P99 => service.p99,
            Column::Errors => service.errors,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Cursor {
    /// On the first row, whichever that is.
    #[default]
    First,
    /// On this service; `row` is where it was last.
    On {
        rule: String,
        service: String,
        row: usize,
    },
}

#[derive(Clone, Debug, Default)]
pub struct List {
    pub sort: Column,
    pub reversed: bool,
    pub filter: String,
    /// Keys go into the filter.
    pub typing: bool,
    /// Places in the server's list.
    order: Vec<usize>,
    cursor: Cursor,
    offset: usize,
}

impl List {
    /// Services that match the filter, in the order in which they are shown.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Of the rows in the order, the first that is seen.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The cursor's place in the order; `None` where there is no row.
    pub fn row(&self) -> Option<usize> {
        let last = self.order.len().checked_sub(1)?;
        match &self.cursor {
            Cursor::First => Some(0),
            Cursor::On { row, .. } => Some((*row).min(last)),
        }
    }

    pub fn selected<'a>(&self, services: &'a [Service]) -> Option<&'a Service> {
        services.get(self.order[self.row()?])
    }

    /// Sorts and filters anew, and finds the cursor's service again.
    pub fn arrange(&mut self, services: &Services) {
        let all = &services.services;
        let words = words(&self.filter);
        let mut order: Vec<usize> = (0..all.len())
            .filter(|place| matches(&all[*place], &words))
            .collect();
        match self.sort {
            Column::Trouble => {}
            Column::Service => {
                order.sort_by(|a, b| natural(&all[*a].service.id, &all[*b].service.id));
            }
            column => order.sort_by(|a, b| {
                let [a, b] = [a, b].map(|place| column.number(&all[*place]));
                descending(a, b, self.reversed)
            }),
        }
        // Numbers have turned already, with what is missing at the end.
        if self.reversed && matches!(self.sort, Column::Trouble | Column::Service) {
            order.reverse();
        }
        self.order = order;
        if let Cursor::On { rule, service, row } = &mut self.cursor {
            let here = |place: &usize| all[*place].is(rule, service);
            *row = self.order.iter().position(here).unwrap_or(*row);
        }
    }

    /// Sorts by the next column, or with a negative number by one before.
    pub fn sort_by(&mut self, by: isize, services: &Services) {
        let at = Column::ALL.iter().position(|column| *column == self.sort);
        let at = at.unwrap_or(0) as isize + by;
        self.sort = Column::ALL[at.rem_euclid(Column::ALL.len() as isize) as usize];
        self.reversed = false;
        self.arrange(services);
    }

    pub fn reverse(&mut self, services: &Services) {
        self.reversed = !self.reversed;
        self.arrange(services);
    }

    /// Changes the filter; the cursor goes to the first row.
    pub fn filter(&mut self, change: impl FnOnce(&mut String), services: &Services) {
        change(&mut self.filter);
        if let Some((end, _)) = self.filter.char_indices().nth(FILTER_MAX) {
            self.filter.truncate(end);
        }
        self.cursor = Cursor::First;
        self.offset = 0;
        self.arrange(services);
    }

    /// Moves the cursor by so many rows.
    pub fn step(&mut self, by: isize, services: &Services) {
        if let Some(row) = self.row() {
            let row = row.saturating_add_signed(by);
            self.put(row.min(self.order.len() - 1), services);
        }
    }

    /// To the first row, whichever comes to be that.
    pub fn home(&mut self) {
        self.cursor = Cursor::First;
    }

    pub fn end(&mut self, services: &Services) {
        if let Some(last) = self.order.len().checked_sub(1) {
            self.put(last, services);
        }
    }

    /// Where this service is in the order.
    pub fn place(&self, rule: &str, service: &str, services: &Services) -> Option<usize> {
        let here = |place: &usize| services.services[*place].is(rule, service);
        self.order.iter().position(here)
    }

    /// Puts the cursor on a row of the order.
    pub fn put(&mut self, row: usize, services: &Services) {
        let service = &services.services[self.order[row]];
        self.cursor = Cursor::On {
            rule: service.rule.id.clone(),
            service: service.service.id.clone(),
            row,
        };
    }

    /// Scrolls so that the cursor is among the `rows` that are seen.
    pub fn settle(&mut self, rows: usize) {
        let Some(row) = self.row() else {
            self.offset = 0;
            return;
        };
        let first = (row + 1).saturating_sub(rows.max(1));
        let end = self.order.len().saturating_sub(rows);
        self.offset = self.offset.clamp(first, row.max(first)).min(end.max(first));
    }
}

/// The words of a filter, in lower case.
fn words(filter: &str) -> Vec<String> {
    let lower = filter.to_lowercase();
    lower.split_whitespace().map(str::to_owned).collect()
}

/// Whether the service's name, rule or trouble contains all of these words.
fn matches(service: &Service, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let text = format!(
        "{} {} {} {}",
        service.service.shown,
        service.rule.shown,
        service.why,
        service.severity.as_str()
    );
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

/// The highest first, or the lowest; what is missing is last either way.
fn descending(a: Option<f64>, b: Option<f64>, reversed: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if reversed => a.total_cmp(&b),
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Names in the order in which people look for them: `api-2` before `api-10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n);
            (m, left) = digits(left);
            (n, right) = digits(right);
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            left = &left[x.len_utf8()..];
            right = &right[y.len_utf8()..];
            x.to_lowercase().cmp(y.to_lowercase())
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits that a text begins with, without zeros before them, and the rest.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    (digits.trim_start_matches('0'), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::text::{Name, Text};
    use crate::top::wire::Severity;

    fn service(name: &str, severity: Severity, rate: Option<f64>) -> Service {
        Service {
            service: Name::new(name),
            rule: Name::new("http"),
            severity,
            why: Text::new(if severity == Severity::Bad {
                "errors 12 %"
            } else {
                ""
            }),
            rate,
            ..Service::default()
        }
    }

    fn services() -> Services {
        Services {
            services: vec![
                service("payments", Severity::Bad, Some(3.0)),
                service("api-10", Severity::Ok, Some(200.0)),
                service("api-2", Severity::Ok, None),
                service("users", Severity::Ok, Some(40.0)),
            ],
            ..Services::default()
        }
    }

    fn names(list: &List, services: &Services) -> Vec<String> {
        let all = &services.services;
        let names = list
            .order()
            .iter()
            .map(|place| all[*place].service.id.clone());
        names.collect()
    }

    fn arranged(services: &Services) -> List {
        let mut list = List::default();
        list.arrange(services);
        list
    }

    #[test]
    fn the_servers_order_is_the_default_and_columns_sort_by_what_they_show() {
        let services = services();
        let mut list = arranged(&services);
        assert_eq!(
            names(&list, &services),
            ["payments", "api-10", "api-2", "users"]
        );
        list.sort_by(1, &services);
        assert_eq!(
            names(&list, &services),
            ["api-2", "api-10", "payments", "users"]
        );
        list.reverse(&services);
        assert_eq!(
            names(&list, &services),
            ["users", "payments", "api-10", "api-2"]
        );
        list.sort_by(1, &services);
        assert_eq!(list.sort, Column::Rate);
        assert_eq!(
            names(&list, &services),
            ["api-10", "users", "payments", "api-2"]
        );
        // What has no value is last in both directions.
        list.reverse(&services);
        assert_eq!(
            names(&list, &services),
            ["payments", "users", "api-10", "api-2"]
        );
        list.sort_by(-3, &services);
        assert_eq!(list.sort, Column::Errors);
    }

    #[test]
    fn a_filter_takes_words_of_names_and_of_trouble() {
        let services = services();
        let mut list = arranged(&services);
        for (filter, found) in [
            ("API", &["api-10", "api-2"][..]),
            ("errors bad", &["payments"]),
            ("http user", &["users"]),
            ("nobody", &[]),
            ("  ", &["payments", "api-10", "api-2", "users"]),
        ] {
            list.filter(|own| *own = filter.into(), &services);
            assert_eq!(names(&list, &services), found, "{filter:?}");
        }
        list.filter(|own| *own = "é".repeat(FILTER_MAX + 1), &services);
        assert_eq!(list.filter.chars().count(), FILTER_MAX);
    }

    #[test]
    fn the_cursor_is_on_the_worst_until_it_is_moved_and_then_on_its_service() {
        let mut services = services();
        let mut list = arranged(&services);
        let selected = |list: &List, services: &Services| {
            let selected = list.selected(&services.services);
            selected.map(|service| service.service.id.clone())
        };
        services.services.swap(0, 3);
        list.arrange(&services);
        assert_eq!(selected(&list, &services).as_deref(), Some("users"));
        list.step(1, &services);
        assert_eq!(selected(&list, &services).as_deref(), Some("api-10"));
        services.services.swap(0, 1);
        list.arrange(&services);
        assert_eq!(selected(&list, &services).as_deref(), Some("api-10"));
        assert_eq!(list.row(), Some(0));
        // Gone: what is in its place. And found again when it returns.
        let gone = services.services.remove(0);
        list.arrange(&services);
        assert_eq!(selected(&list, &services).as_deref(), Some("users"));
        services.services.push(gone);
        list.arrange(&services);
        assert_eq!(selected(&list, &services).as_deref(), Some("api-10"));
        list.step(99, &services);
        assert_eq!(list.row(), Some(3));
        list.step(-99, &services);
        assert_eq!(list.row(), Some(0));
        services.services.clear();
        list.arrange(&services);
        list.step(1, &services);
        list.end(&services);
        assert_eq!(selected(&list, &services), None);
    }

    #[test]
    fn the_cursor_is_always_seen() {
        let many = Services {
            services: (0..100)
                .map(|n| service(&format!("s{n}"), Severity::Ok, None))
                .collect(),
            ..Services::default()
        };
        let mut list = arranged(&many);
        let seen = |list: &mut List, by: isize, rows: usize| {
            list.step(by, &many);
            list.settle(rows);
            (list.offset(), list.row().unwrap())
        };
        assert_eq!(seen(&mut list, 9, 10), (0, 9));
        assert_eq!(seen(&mut list, 1, 10), (1, 10));
        assert_eq!(seen(&mut list, -5, 10), (1, 5));
        assert_eq!(seen(&mut list, -5, 10), (0, 0));
        assert_eq!(seen(&mut list, 99, 10), (90, 99));
        // A larger screen leaves no empty lines at the end, a smaller one loses no cursor.
        assert_eq!(seen(&mut list, 0, 30), (70, 99));
        assert_eq!(seen(&mut list, 0, 5), (95, 99));
        assert_eq!(seen(&mut list, 0, 0), (99, 99));
    }
}
