//! A server with Librato's API that fails in every way there is, as it is told. What it has
//! taken it keeps as any such server does: the last value of a series and time.

use super::RUNTIME;
use super::ledger::{BITS, LINES, Told};
use super::now_millis;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Measurements of services with this prefix are refused, whoever else is in the request.
pub const CURSED: &str = "cursed";

/// Longer than weir waits for an answer.
const SILENCE: Duration = Duration::from_secs(5);

/// What becomes of one request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing is taken, and this is the answer.
    Status(u16),
    /// It is taken, and the answer is 500 all the same.
    TakenAndFailed,
    /// 429: not before the next second.
    Limited,
    /// The connection is closed instead of an answer.
    Closed,
    /// The same, but it is taken.
    TakenAndClosed,
    /// There is no answer.
    Silent,
}

pub struct Flaky {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// For the requests to come.
    faults: Mutex<VecDeque<Fault>>,
    is_down: AtomicBool,
    taken: Mutex<Told>,
    failed: AtomicU64,
}

impl Flaky {
    pub fn start() -> Flaky {
        let listener = RUNTIME
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port for the sink");
        let address = listener.local_addr().expect("the sink is bound");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let accepting = RUNTIME.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if !shared.is_down.load(Ordering::Relaxed) {
                    let shared = Arc::clone(&shared);
                    // A client that is killed is what the tests want.
                    tokio::spawn(async move { serve(stream, &shared).await.ok() });
                }
            }
        });
        Flaky {
            address,
            state,
            accepting,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One of the next requests fails.
    pub fn fail(&self, fault: Fault) {
        lock(&self.state.faults).push_back(fault);
    }

    /// While it is down, connections are closed at once.
    pub fn set_down(&self, is_down: bool) {
        self.state.is_down.store(is_down, Ordering::Relaxed);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.set_down(false);
        lock(&self.state.faults).clear();
    }

    /// How many requests have failed.
    pub fn failed(&self) -> u64 {
        self.state.failed.load(Ordering::Relaxed)
    }

    /// What it has taken of the windows of a ledger.
    pub fn taken(&self) -> MutexGuard<'_, Told> {
        lock(&self.state.taken)
    }
}

impl Drop for Flaky {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}

async fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(body) = next_body(&mut stream, &mut bytes).await? {
        let fault = match state.is_down.load(Ordering::Relaxed) {
            true => Some(Fault::Closed),
            false => lock(&state.faults).pop_front(),
        };
        if fault.is_some() {
            state.failed.fetch_add(1, Ordering::Relaxed);
        }
        let (status, header, text) = match fault {
            Some(Fault::Closed) => return Ok(()),
            Some(Fault::Silent) => {
                tokio::time::sleep(SILENCE).await;
                return Ok(());
            }
            Some(Fault::Status(status)) => (status, String::new(), "{}"),
            Some(Fault::Limited) => {
                let reset = now_millis() / 1000 + 1;
                let header =
                    format!("X-Librato-RateLimit-Agg: limit=9,remaining=0,reset={reset}\r\n");
                (429, header, "{}")
            }
            None | Some(Fault::TakenAndFailed | Fault::TakenAndClosed) => {
                let taken = state.take(&body);
                match (fault, taken) {
                    (Some(Fault::TakenAndClosed), _) => return Ok(()),
                    (Some(_), _) => (500, String::new(), "{}"),
                    (None, true) => (202, String::new(), "{}"),
                    (None, false) => (
                        400,
                        String::new(),
                        r#"{"errors":{"params":{"tags":["are cursed"]}}}"#,
                    ),
                }
            }
        };
        let answer = format!(
            "HTTP/1.1 {status} As-Told\r\n{header}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

impl State {
    /// Takes all measurements, or none if one of them is cursed. Annotations are taken and
    /// forgotten.
    fn take(&self, body: &Value) -> bool {
        let none = Vec::new();
        let items = body["measurements"].as_array().unwrap_or(&none);
        let service = |item: &Value| item["tags"]["service"].as_str().map(str::to_owned);
        if items
            .iter()
            .filter_map(service)
            .any(|service| service.starts_with(CURSED))
        {
            return false;
        }
        let mut taken = lock(&self.taken);
        for item in items {
            let of = match item["name"].as_str() {
                Some(LINES) => &mut taken.lines,
                Some(BITS) => &mut taken.bits,
                _ => continue,
            };
            let (Some(service), Some(time), Some(value)) =
                (service(item), item["time"].as_i64(), item["value"].as_f64())
            else {
                panic!("no measurement: {item}");
            };
            of.entry(service).or_default().insert(time, value);
        }
        true
    }
}

/// The next request's body. `bytes` holds what was read past the last one.
async fn next_body(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<Option<Value>> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|value| value.trim().parse::<usize>().ok());
    let whole = end + length.unwrap_or_else(|| panic!("no length in {head:?}"));
    while bytes.len() < whole {
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
    let body = serde_json::from_slice(&bytes[end..whole]);
    bytes.drain(..whole);
    Ok(Some(body.expect("weir sends JSON")))
}
