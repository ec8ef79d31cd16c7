//! Form-encoded bodies to the JSON that would have said the same: `gauges[0][name]=load`
//! is `{"gauges":{"0":{"name":"load"}}}`.
//!
//! `KEY[]=` and a plain key that comes again make lists; `KEY[][NAME]=` makes a list of
//! objects, of which a new one begins with a name that the last one has. A form knows
//! neither numbers nor null: text under a name of [`NUMBERS`] becomes a number where it is
//! one, and an empty value is null.
//!
//! Bounds: [`PAIRS_MAX`], [`KEY_MAX`], [`DEPTH_MAX`], [`GROUPS_MAX`]; a form beyond one of
//! them is refused.

use super::reply::Refusal;
use super::write::shorten;
use axum::http::StatusCode;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Pairs of one form.
pub const PAIRS_MAX: usize = 200_000;
/// Bytes of one key, after decoding.
pub const KEY_MAX: usize = 1024;
/// Names in one key: `a[b][c]` has three.
pub const DEPTH_MAX: usize = 6;
/// Objects and lists of one form.
pub const GROUPS_MAX: usize = 50_000;

/// Fields of the API that are numbers.
const NUMBERS: [&str; 10] = [
    "value",
    "count",
    "sum",
    "min",
    "max",
    "sum_squares",
    "measure_time",
    "period",
    "start_time",
    "end_time",
];

/// The object that a form means.
pub fn parse(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let mut root = BTreeMap::new();
    let mut groups = 0;
    for (n, (key, text)) in form_urlencoded::parse(body).enumerate() {
        if n == PAIRS_MAX {
            return Err(refusal(format!(
                "the form has more than {PAIRS_MAX} values: send fewer measurements at a time"
            )));
        }
        let (name, path) = split(&key)?;
        let node = root.entry(name.to_owned());
        let node = node.or_insert_with(|| Node::new(&path, &mut groups));
        node.put(&path, text, &mut groups).map_err(|why| match why {
            Misfit::Clash => refusal(format!(
                "the form says '{}' in two ways that exclude each other",
                shorten(&key)
            )),
            Misfit::TooMany => refusal(format!(
                "the form has more than {GROUPS_MAX} lists and objects: send fewer measurements at a time"
            )),
        })?;
    }
    let fields = root.into_iter();
    Ok(fields
        .map(|(name, node)| {
            let value = node.into_json(&name);
            (name, value)
        })
        .collect())
}

/// What a key leads to. A name is in one of these ways only.
enum Node {
    /// A value; several where its key came again.
    Texts(Vec<String>),
    List(Vec<Node>),
    Object(BTreeMap<String, Node>),
}

enum Misfit {
    Clash,
    TooMany,
}

impl Node {
    /// An empty one of the kind that a path needs.
    fn new(path: &[&str], groups: &mut usize) -> Node {
        *groups += usize::from(!path.is_empty());
        match path.first() {
            None => Node::Texts(Vec::new()),
            Some(&"") => Node::List(Vec::new()),
            Some(_) => Node::Object(BTreeMap::new()),
        }
    }

    fn put(&mut self, path: &[&str], text: Cow<'_, str>, groups: &mut usize) -> Result<(), Misfit> {
        if *groups > GROUPS_MAX {
            return Err(Misfit::TooMany);
        }
        match (self, path) {
            (Node::Texts(texts), []) => {
                texts.push(text.into_owned());
                Ok(())
            }
            (Node::List(items), ["", rest @ ..]) => {
                if !items.last().is_some_and(|last| last.has_room(rest)) {
                    items.push(Node::new(rest, groups));
                }
                match items.last_mut() {
                    Some(last) => last.put(rest, text, groups),
                    None => Ok(()),
                }
            }
            (Node::Object(fields), [name, rest @ ..]) if !name.is_empty() => {
                let node = fields.entry((*name).to_owned());
                let node = node.or_insert_with(|| Node::new(rest, groups));
                node.put(rest, text, groups)
            }
            _ => Err(Misfit::Clash),
        }
    }

    /// Whether the last item of a list goes on with this path.
    fn has_room(&self, path: &[&str]) -> bool {
        match (self, path) {
            (Node::Object(fields), [name]) => !name.is_empty() && !fields.contains_key(*name),
            (Node::Object(fields), [name, rest @ ..]) => {
                let inner = fields.get(*name);
                !name.is_empty() && inner.is_none_or(|inner| inner.has_room(rest))
            }
            _ => false,
        }
    }

    /// `name`: of the field that it is.
    fn into_json(self, name: &str) -> Value {
        match self {
            Node::Texts(mut texts) => match (texts.pop(), texts.is_empty()) {
                (Some(text), true) => value(text, name),
                (last, _) => texts.into_iter().chain(last).map(Value::from).collect(),
            },
            Node::List(items) => items.into_iter().map(|item| item.into_json("")).collect(),
            Node::Object(fields) => {
                let fields = fields.into_iter();
                let fields = fields.map(|(name, node)| {
                    let value = node.into_json(&name);
                    (name, value)
                });
                Value::Object(fields.collect())
            }
        }
    }
}

fn value(text: String, name: &str) -> Value {
    // In a list an empty text is one that is not a name.
    if text.is_empty() && !name.is_empty() {
        return Value::Null;
    }
    let number = match NUMBERS.contains(&name) {
        true => text.parse().ok().and_then(Number::from_f64),
        false => None,
    };
    number.map_or(Value::String(text), Value::Number)
}

/// `a[b][]` to `a` and `b`, ``.
fn split(key: &str) -> Result<(&str, Vec<&str>), Refusal> {
    if key.len() > KEY_MAX {
        return Err(refusal(format!(
            "the form has a name of more than {KEY_MAX} bytes"
        )));
    }
    let malformed = || {
        refusal(format!(
            "'{}' is not a name that a form can have: NAME or NAME[NAME][NAME]",
            shorten(key)
        ))
    };
    let (name, rest) = key.split_at(key.find('[').unwrap_or(key.len()));
    let mut path = Vec::new();
    if !rest.is_empty() {
        let inner = rest
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        path.extend(inner.ok_or_else(malformed)?.split("]["));
    }
    let fits = !name.is_empty()
        && path.len() < DEPTH_MAX
        && !std::iter::once(&name)
            .chain(&path)
            .any(|part| part.contains(['[', ']']));
    match fits {
        true => Ok((name, path)),
        false => Err(malformed()),
    }
}

fn refusal(message: String) -> Refusal {
    Refusal::request(StatusCode::BAD_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(form: &str) -> Value {
        Value::Object(parse(form.as_bytes()).unwrap_or_else(|why| panic!("{form}: {why:?}")))
    }

    #[test]
    fn forms_say_what_json_says() {
        for (form, want) in [
            ("", json!({})),
            ("a=b+c%20d&e=%C3%A9", json!({"a": "b c d", "e": "é"})),
            (
                "measure_time=1700000000&source=lb&gauges[0][name]=load&gauges[0][value]=1.5&gauges[1][name]=5&gauges[1][value]=-2e3",
                json!({"measure_time": 1.7e9, "source": "lb", "gauges": {
                    "0": {"name": "load", "value": 1.5}, "1": {"name": "5", "value": -2000.0}}}),
            ),
            (
                "gauges%5Bload%5D%5Bvalue%5D=3",
                json!({"gauges": {"load": {"value": 3.0}}}),
            ),
            (
                "gauges[][name]=a&gauges[][value]=1&gauges[][name]=b&gauges[][value]=2",
                json!({"gauges": [{"name": "a", "value": 1.0}, {"name": "b", "value": 2.0}]}),
            ),
            ("names[]=a&names[]=b", json!({"names": ["a", "b"]})),
            ("names=a&names=b", json!({"names": ["a", "b"]})),
            ("names[]=", json!({"names": [""]})),
            (
                "attributes[display_min]=0&period=60&description=",
                json!({"attributes": {"display_min": "0"}, "period": 60.0, "description": null}),
            ),
            // Not numbers: what reads them says so.
            (
                "value=NaN&min=inf&max=1e999&sum=1x&count=1&count=2",
                json!({"value": "NaN", "min": "inf", "max": "1e999", "sum": "1x", "count": ["1", "2"]}),
            ),
        ] {
            assert_eq!(read(form), want, "{form}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let deep = format!("a{}=1", "[b]".repeat(DEPTH_MAX));
        let long = format!("{}=1", "a".repeat(KEY_MAX + 1));
        let many = "a&".repeat(PAIRS_MAX + 1);
        let groups: String = (0..=GROUPS_MAX).map(|n| format!("g[{n}][v]=1&")).collect();
        for (form, word) in [
            ("=1", "not a name"),
            ("[a]=1", "not a name"),
            ("a[b=1", "not a name"),
            ("a[b]c=1", "not a name"),
            ("a]=1", "not a name"),
            ("a[[b]]=1", "not a name"),
            (&deep, "not a name"),
            (&long, "more than 1024 bytes"),
            (&many, "more than 200000 values"),
            (&groups, "more than 50000 lists"),
            ("a=1&a[b]=2", "two ways"),
            ("a[b]=1&a=2", "two ways"),
            ("a[]=1&a[b]=2", "two ways"),
            ("a[b]=1&a[]=2", "two ways"),
        ] {
            let why = parse(form.as_bytes()).expect_err(form);
            assert_eq!(why.status, StatusCode::BAD_REQUEST);
            let message = why.body["errors"]["request"][0].to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    fn depth(value: &Value) -> usize {
        match value {
            Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(
            body in proptest::collection::vec(
                prop_oneof![Just(b'['), Just(b']'), Just(b'&'), Just(b'='), Just(b'a'), any::<u8>()],
                0..200,
            )
        ) {
            if let Ok(fields) = parse(&body) {
                // One more than the names of a key: a key that came again is a list.
                prop_assert!(depth(&Value::Object(fields)) <= DEPTH_MAX + 1);
            }
        }

        #[test]
        fn items_come_out_as_they_went_in(
            items in proptest::collection::btree_map("[a-z0-9.]{1,8}", ("[a-z &=%\\[\\]+é]{1,8}", -1e9f64..1e9), 1..20)
        ) {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (key, (name, number)) in &items {
                form.append_pair(&format!("gauges[{key}][name]"), name);
                form.append_pair(&format!("gauges[{key}][value]"), &number.to_string());
            }
            let want: Value = items
                .iter()
                .map(|(key, (name, number))| (key.clone(), json!({"name": name, "value": number})))
                .collect::<Map<_, _>>()
                .into();
            prop_assert_eq!(&read(&form.finish())["gauges"], &want);
        }
    }
}
