//! JSON Schemas of the YAML files that people write, for editors that complete and explain
//! keys. What they accept is what the readers of the files do, as far as a schema can say it.

use serde_json::{Map, Value};

/// A kind of file that people write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Rules,
    Config,
    Tests,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Rules, Kind::Config, Kind::Tests];

    const fn text(self) -> &'static str {
        match self {
            Kind::Rules => include_str!("rules.json"),
            Kind::Config => include_str!("config.json"),
            Kind::Tests => include_str!("tests.json"),
        }
    }

    /// What its schema is called among those of all files.
    const fn name(self) -> &'static str {
        match self {
            Kind::Rules => "rules_file",
            Kind::Config => "config_file",
            Kind::Tests => "tests_file",
        }
    }
}

/// The schema of one kind of file, or one that accepts any of them.
pub fn schema(kind: Option<Kind>) -> Value {
    match kind {
        Some(kind) => Value::Object(document(kind)),
        None => any(),
    }
}

fn document(kind: Kind) -> Map<String, Value> {
    serde_json::from_str(kind.text()).expect("the schemas that are built in are JSON")
}

/// Definitions of all kinds stand together, so no two have the same name.
fn any() -> Value {
    let mut definitions = Map::new();
    let mut kinds = Vec::new();
    for kind in Kind::ALL {
        let mut document = document(kind);
        document.remove("$schema");
        if let Some(Value::Object(own)) = document.remove("$defs") {
            definitions.extend(own);
        }
        definitions.insert(kind.name().to_owned(), Value::Object(document));
        kinds.push(serde_json::json!({ "$ref": format!("#/$defs/{}", kind.name()) }));
    }
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "weir: rules, their tests, and weir.yaml",
        "anyOf": kinds,
        "$defs": definitions,
    })
}

#[cfg(test)]
mod tests;
