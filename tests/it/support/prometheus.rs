//! A real Prometheus that scrapes a weir every second.

use super::process::Process;
use super::{folder, http, ports, program, wait_for, write};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const START: Duration = Duration::from_secs(30);

pub struct Prometheus {
    base: String,
    process: Process,
    _site: TempDir,
}

impl Prometheus {
    /// Scraping the weir at that address, once it answers.
    pub fn scraping(address: &str) -> Prometheus {
        let site = folder(&[]);
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs:\n\
             - job_name: weir\n  static_configs: [{{ targets: ['{address}'] }}]\n"
        );
        write(&site.path().join("prometheus.yml"), &config);
        let listen = format!("127.0.0.1:{}", ports::free());
        let mut command = Command::new(program("prometheus"));
        command
            .current_dir(site.path())
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={listen}"))
            .arg("--log.level=warn");
        let process = Process::spawn("prometheus", &mut command);
        let base = format!("http://{listen}");
        wait_for("Prometheus to be ready", START, || {
            let answer = http::get(&format!("{base}/-/ready"))?;
            (answer.status == 200).then_some(()).ok_or(answer.body)
        });
        Prometheus {
            base,
            process,
            _site: site,
        }
    }

    /// The series of a query now.
    pub fn now(&self, query: &str) -> Result<Vec<Value>, String> {
        let data = self.get(&format!("query?query={}", escape(query)))?;
        Ok(data["result"].as_array().expect("a result").clone())
    }

    /// The series of a query over the last minute.
    pub fn last_minute(&self, query: &str) -> Result<Vec<Value>, String> {
        let now = super::now_millis() / 1000;
        let path = format!(
            "query_range?query={}&start={}&end={now}&step=1",
            escape(query),
            now - 60
        );
        let data = self.get(&path)?;
        Ok(data["result"].as_array().expect("a result").clone())
    }

    /// The values of a label that series of that selector have.
    pub fn label_values(&self, selector: &str, label: &str) -> Result<Vec<Value>, String> {
        let data = self.get(&format!(
            "label/{label}/values?match[]={}",
            escape(selector)
        ))?;
        Ok(data.as_array().expect("a list").clone())
    }

    pub fn terminate(self) {
        self.process.terminate();
        self.process.wait(START);
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let answer = http::get_json(&format!("{}/api/v1/{path}", self.base))?;
        match answer["status"] == "success" {
            true => Ok(answer["data"].clone()),
            false => Err(answer.to_string()),
        }
    }
}

fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
