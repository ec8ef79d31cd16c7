//! Panels: what one shows, to Grafana's JSON.

use super::{PANELS_VERSION, datasource};
use serde_json::{Map, Value, json};

/// One panel, without its place.
pub struct Panel {
    pub width: u32,
    pub height: u32,
    json: Map<String, Value>,
}

/// One query and how its lines are called.
pub struct Query {
    pub expr: String,
    /// With `{{label}}` for the labels' values; empty in a table.
    pub legend: String,
}

/// How series are drawn over time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    Lines,
    /// On one another: their sum is a whole.
    Stacked,
}

impl Query {
    pub fn new(expr: impl Into<String>, legend: impl Into<String>) -> Query {
        Query {
            expr: expr.into(),
            legend: legend.into(),
        }
    }

    fn over_time(&self, place: usize) -> Value {
        json!({
            "refId": ref_id(place),
            "datasource": datasource(),
            "editorMode": "code",
            "expr": self.expr,
            "legendFormat": self.legend,
            "range": true,
        })
    }

    fn now(&self, place: usize, format: &str) -> Value {
        let mut query = self.over_time(place);
        query["range"] = false.into();
        query["instant"] = true.into();
        query["format"] = format.into();
        query
    }
}

impl Panel {
    fn new(kind: &str, title: &str, width: u32, height: u32) -> Panel {
        let json = json!({
            "type": kind,
            "title": title,
            "datasource": datasource(),
            "pluginVersion": PANELS_VERSION,
            "fieldConfig": {"defaults": {}, "overrides": []},
            "options": {},
            "targets": [],
        });
        Panel {
            width,
            height,
            json: match json {
                Value::Object(json) => json,
                _ => Map::new(),
            },
        }
    }

    /// Lines over time, with a table of the newest and the highest values below.
    pub fn lines(title: &str, unit: &str, stack: Stack, queries: &[Query]) -> Panel {
        let (fill, stacking) = match stack {
            Stack::Lines => (0, "none"),
            Stack::Stacked => (20, "normal"),
        };
        Panel::new("timeseries", title, 12, 8)
            .field("unit", unit)
            .field(
                "custom",
                json!({
                    "drawStyle": "line",
                    "lineWidth": 1,
                    "fillOpacity": fill,
                    "showPoints": "auto",
                    "pointSize": 4,
                    // A gap is a gap: no value is invented.
                    "spanNulls": false,
                    "stacking": {"group": "A", "mode": stacking},
                }),
            )
            .with(
                "options",
                json!({
                    "legend": {
                        "calcs": ["lastNotNull", "max"],
                        "displayMode": "table",
                        "placement": "bottom",
                        "showLegend": true,
                        "sortBy": "Max",
                        "sortDesc": true,
                    },
                    "tooltip": {"mode": "multi", "sort": "desc"},
                }),
            )
            .queries(queries, Query::over_time)
    }

    /// One number for each line, with a small chart behind it where `trend`.
    pub fn number(title: &str, unit: &str, trend: bool, queries: &[Query]) -> Panel {
        let graph = if trend { "area" } else { "none" };
        let panel = Panel::new("stat", title, 3, 4).field("unit", unit).with(
            "options",
            json!({
                "colorMode": "value",
                "graphMode": graph,
                "justifyMode": "auto",
                "orientation": "auto",
                "percentChangeColorMode": "standard",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
                "showPercentChange": false,
                "textMode": "auto",
                "wideLayout": true,
            }),
        );
        match trend {
            true => panel.queries(queries, Query::over_time),
            false => panel.queries(queries, |query, place| query.now(place, "time_series")),
        }
    }

    /// The newest values: a row for each group, its labels first.
    pub fn table(title: &str, labels: &[String], columns: &[Column], sort: usize) -> Panel {
        let mut renamed = Map::new();
        let mut order = Map::new();
        for (i, label) in labels.iter().enumerate() {
            order.insert(label.clone(), i.into());
        }
        for (i, column) in columns.iter().enumerate() {
            // A table of one query calls its values by no letter.
            let field = match columns.len() {
                1 => "Value".to_owned(),
                _ => format!("Value #{}", ref_id(i)),
            };
            order.insert(field.clone(), (labels.len() + i).into());
            renamed.insert(field, column.name.clone().into());
        }
        let overrides = columns.iter().map(Column::looks);
        let sorted = columns
            .get(sort)
            .map(|column| json!({"displayName": column.name, "desc": !column.ascending}));
        let queries: Vec<Query> = columns
            .iter()
            .map(|column| Query::new(column.expr.clone(), ""))
            .collect();
        let panel = Panel::new("table", title, 24, 8)
            .field(
                "custom",
                json!({
                    "align": "auto",
                    "cellOptions": {"type": "auto"},
                    "filterable": true,
                    "inspect": false,
                }),
            )
            .with("overrides", overrides.collect::<Value>())
            .with(
                "options",
                json!({
                    "cellHeight": "sm",
                    "frameIndex": 0,
                    "showHeader": true,
                    "sortBy": sorted.into_iter().collect::<Value>(),
                }),
            )
            .with(
                "transformations",
                json!([
                    {"id": "merge", "options": {}},
                    {"id": "organize", "options": {
                        "excludeByName": {"Time": true},
                        "indexByName": order,
                        "renameByName": renamed,
                    }},
                ]),
            );
        panel.queries(&queries, |query, place| query.now(place, "table"))
    }

    /// How many values are in each bucket of a histogram, over time.
    pub fn heatmap(title: &str, bounds: &str, query: &Query) -> Panel {
        let panel = Panel::new("heatmap", title, 12, 8).with(
            "options",
            json!({
                "calculate": false,
                "cellGap": 1,
                "color": {
                    "exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": false,
                    "scale": "exponential", "scheme": "Oranges", "steps": 64,
                },
                "exemplars": {"color": "rgba(255,0,255,0.7)"},
                "filterValues": {"le": 1e-9},
                "legend": {"show": true},
                "rowsFrame": {"layout": "auto"},
                "showValue": "never",
                "tooltip": {"mode": "single", "showColorScale": false, "yHistogram": false},
                "yAxis": {"axisPlacement": "left", "reverse": false, "unit": bounds},
            }),
        );
        panel.queries(std::slice::from_ref(query), |query, place| {
            let mut target = query.over_time(place);
            target["format"] = "heatmap".into();
            target
        })
    }

    /// States over time: each value by what it means.
    pub fn states(title: &str, query: &Query) -> Panel {
        Panel::new("state-timeline", title, 12, 8)
            .field("custom", json!({"fillOpacity": 70, "lineWidth": 0}))
            .with(
                "options",
                json!({
                    "alignValue": "left",
                    "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true},
                    "mergeValues": true,
                    "rowHeight": 0.9,
                    "showValue": "auto",
                    "tooltip": {"mode": "single", "sort": "none"},
                }),
            )
            .queries(std::slice::from_ref(query), Query::over_time)
    }

    pub fn sized(mut self, width: u32, height: u32) -> Panel {
        (self.width, self.height) = (width, height);
        self
    }

    pub fn described(self, text: String) -> Panel {
        self.with("description", text)
    }

    /// No point is finer than this: the windows are not, either.
    pub fn every(self, interval: String) -> Panel {
        self.with("interval", interval)
    }

    /// What holds for all values.
    pub fn field(mut self, key: &str, value: impl Into<Value>) -> Panel {
        self.json["fieldConfig"]["defaults"][key] = value.into();
        self
    }

    /// Colours from these values on, after the first.
    pub fn colored(self, first: &str, steps: &[(f64, &str)]) -> Panel {
        self.field("thresholds", thresholds(first, steps))
            .field("color", json!({"mode": "thresholds"}))
    }

    /// Words and colours for values.
    pub fn worded(self, words: &[(&str, &str, &str)]) -> Panel {
        let options = words.iter().enumerate().map(|(i, (value, text, color))| {
            let result = json!({"text": text, "color": color, "index": i});
            ((*value).to_owned(), result)
        });
        let options: Map<String, Value> = options.collect();
        self.field("mappings", json!([{"type": "value", "options": options}]))
    }

    /// Where a click on a line or a number leads.
    pub fn linked(self, title: &str, url: String) -> Panel {
        self.field("links", json!([{"title": title, "url": url}]))
    }

    pub fn into_json(mut self, id: u32, at: Value) -> Value {
        self.json.insert("id".into(), id.into());
        self.json.insert("gridPos".into(), at);
        self.json.into()
    }

    /// `overrides` are those of the fields; everything else is the panel's.
    fn with(mut self, key: &str, value: impl Into<Value>) -> Panel {
        match key {
            "overrides" => self.json["fieldConfig"]["overrides"] = value.into(),
            key => drop(self.json.insert(key.into(), value.into())),
        }
        self
    }

    fn queries(self, queries: &[Query], show: impl Fn(&Query, usize) -> Value) -> Panel {
        let queries = queries.iter().enumerate();
        let targets: Vec<Value> = queries.map(|(place, query)| show(query, place)).collect();
        self.with("targets", targets)
    }
}

/// A column of values in a table.
pub struct Column {
    pub name: String,
    pub expr: String,
    pub unit: &'static str,
    /// Whether the low values come first where it is sorted by.
    pub ascending: bool,
    /// Colours from these values on.
    pub colors: &'static [(f64, &'static str)],
}

impl Column {
    fn looks(&self) -> Value {
        let mut properties = vec![json!({"id": "unit", "value": self.unit})];
        if !self.colors.is_empty() {
            properties.push(json!({"id": "thresholds", "value": thresholds("text", self.colors)}));
            properties.push(json!({"id": "custom.cellOptions", "value": {"type": "color-text"}}));
        }
        json!({
            "matcher": {"id": "byName", "options": self.name},
            "properties": properties,
        })
    }
}

fn thresholds(first: &str, steps: &[(f64, &str)]) -> Value {
    let first = json!({"color": first, "value": null});
    let steps = steps
        .iter()
        .map(|(value, color)| json!({"color": color, "value": value}));
    let steps: Vec<Value> = std::iter::once(first).chain(steps).collect();
    json!({"mode": "absolute", "steps": steps})
}

/// `A` to `Z`, then `AA`, as Grafana's editor names queries.
fn ref_id(place: usize) -> String {
    let letter = char::from(b'A' + (place % 26) as u8);
    match place / 26 {
        0 => letter.to_string(),
        more => ref_id(more - 1) + &letter.to_string(),
    }
}
