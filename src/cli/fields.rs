//! `weir fields`: what events consist of.

use super::{Failure, print};
use crate::haproxy::{Field, FieldType};

/// What is printed of one field.
struct Row {
    name: &'static str,
    field_type: FieldType,
    alias: &'static str,
    meaning: &'static str,
}

/// Of no log line: rules and the configuration give it.
const SERVICE: Row = Row {
    name: "service",
    field_type: FieldType::String,
    alias: "",
    meaning: "what rules group by: the frontend, unless configured",
};

pub fn run() -> Result<(), Failure> {
    print::print(&table())
}

/// In the order in which events are printed.
fn rows() -> impl Iterator<Item = Row> {
    let of = |&field: &Field| Row {
        name: field.name(),
        field_type: field.field_type(),
        alias: field.alias(),
        meaning: field.meaning(),
    };
    let (kind, others) = Field::ALL.split_at(1);
    kind.iter()
        .map(of)
        .chain([SERVICE])
        .chain(others.iter().map(of))
}

fn table() -> String {
    let mut table = line("field", "type", "alias", "meaning");
    for row in rows() {
        let field_type = row.field_type.to_string();
        table += &line(row.name, &field_type, row.alias, row.meaning);
    }
    table
}

fn line(name: &str, field_type: &str, alias: &str, meaning: &str) -> String {
    format!("{name:<18} {field_type:<15}  {alias:<6}  {meaning}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_table_fits_a_terminal() {
        for line in table().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        insta::assert_snapshot!(table().lines().take(4).collect::<Vec<_>>().join("\n"), @r#"
    field              type             alias   meaning
    kind               string                   which kind of line: http, tcp, error, connect or event
    service            string                   what rules group by: the frontend, unless configured
    host               string                   the host that sent it, from the syslog envelope
    "#);
    }

    #[test]
    fn the_documentation_has_every_field() {
        let mut expected = String::new();
        for row in rows() {
            let alias = match row.alias {
                "" => String::new(),
                alias => format!("`{alias}`"),
            };
            let (name, field_type, meaning) = (row.name, row.field_type, row.meaning);
            writeln!(
                expected,
                "| `{name}` | {field_type} | {alias} | {meaning} |"
            )
            .unwrap();
        }
        let documentation = include_str!("../../docs/fields.md");
        assert!(
            documentation.contains(&expected),
            "docs/fields.md should hold:\n{expected}"
        );
    }
}
