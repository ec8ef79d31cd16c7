//! Asking weir over HTTP: plain calls, its Prometheus page, its Librato API.

use super::RUNTIME;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    reqwest::Client::builder()
        .no_proxy()
        // Whoever is asked may have been restarted since the last call.
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(10))
        .build()
        .expect("an HTTP client")
});

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// `Err` where there was no answer at all.
pub fn get(url: &str) -> Result<Answer, String> {
    RUNTIME.block_on(answer(CLIENT.get(url)))
}

/// `Err` where there was no answer at all.
pub fn post(url: &str, body: &Value) -> Result<Answer, String> {
    RUNTIME.block_on(answer(CLIENT.post(url).json(body)))
}

pub async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let response = request.send().await.map_err(|e| format!("{e:?}"))?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(|e| format!("{e:?}"))?;
    Ok(Answer { status, body })
}

/// The JSON of a 200; anything else is an `Err` that shows the answer.
pub fn get_json(url: &str) -> Result<Value, String> {
    let Answer { status, body } = get(url)?;
    if status != 200 {
        return Err(format!("{url} answered {status}: {body}"));
    }
    serde_json::from_str(&body).map_err(|e| format!("{url} answered no JSON ({e}): {body}"))
}

/// weir's own counters, as `/metrics` shows them to Prometheus.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    pub fn read(base: &str) -> Result<Metrics, String> {
        let url = format!("{base}/metrics");
        let Answer { status, body } = get(&url)?;
        if status != 200 {
            return Err(format!("{url} answered {status}: {body}"));
        }
        Ok(Metrics::of(body))
    }

    /// What such a page holds.
    pub fn of(page: String) -> Metrics {
        Metrics(page)
    }

    /// The sum of all samples of this name that carry this label, such as
    /// `reason="malformed"`; an empty label asks for every sample. 0 where there is none.
    pub fn sum(&self, name: &str, label: &str) -> u64 {
        self.value(name, label) as u64
    }

    /// The same with its fraction.
    pub fn value(&self, name: &str, label: &str) -> f64 {
        self.0
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(series, value)| {
                let (series_name, labels) = series.split_once('{').unwrap_or((series, ""));
                (series_name == name && labels.contains(label)).then_some(value)
            })
            .map(|value| {
                value
                    .parse::<f64>()
                    .unwrap_or_else(|e| panic!("{name} is {value:?} in /metrics: {e}"))
            })
            .sum()
    }

    pub fn received(&self) -> u64 {
        self.sum("weir_lines_received_total", "")
    }

    pub fn parsed(&self) -> u64 {
        self.sum("weir_lines_parsed_total", "")
    }

    /// Connections that were refused for that reason.
    pub fn refused(&self, reason: &str) -> u64 {
        let label = format!("reason=\"{reason}\"");
        self.sum("weir_connections_refused_total", &label)
    }

    pub fn rejected(&self) -> u64 {
        self.sum("weir_lines_rejected_total", "")
    }
}

/// Service to window start (epoch seconds) to value.
pub type ByService = BTreeMap<String, BTreeMap<i64, f64>>;

/// One name as `GET /v1/measurements/:name` answers for every tag set, which is
/// expected to be the service and nothing else. Empty where the name is unknown.
pub fn by_service(base: &str, name: &str, from: i64, to: i64) -> Result<ByService, String> {
    let url = format!(
        "{base}/v1/measurements/{name}?resolution=1&start_time={from}&end_time={to}&tags=*"
    );
    let Answer { status, body } = get(&url)?;
    if status == 404 {
        return Ok(ByService::new());
    }
    if status != 200 {
        return Err(format!("{url} answered {status}: {body}"));
    }
    let body: Value =
        serde_json::from_str(&body).map_err(|e| format!("{url} answered no JSON ({e}): {body}"))?;
    let odd = |what: &str| format!("{url}: {what} in {body}");
    let mut services = ByService::new();
    for series in body["series"]
        .as_array()
        .ok_or_else(|| odd("no `series`"))?
    {
        let tags = series["tags"].as_object().ok_or_else(|| odd("no `tags`"))?;
        let service = match (tags.len(), tags.get("service").and_then(Value::as_str)) {
            (1, Some(service)) => service,
            _ => return Err(odd("tags other than the service alone")),
        };
        let points = services.entry(service.to_owned()).or_default();
        for point in series["measurements"]
            .as_array()
            .ok_or_else(|| odd("no `measurements`"))?
        {
            let time = point["time"]
                .as_i64()
                .ok_or_else(|| odd("no whole `time`"))?;
            let value = point["value"].as_f64().ok_or_else(|| odd("no `value`"))?;
            if points.insert(time, value).is_some() {
                return Err(odd("two values for one time"));
            }
        }
    }
    Ok(services)
}
