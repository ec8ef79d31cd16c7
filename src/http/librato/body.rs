//! Bodies of requests: chunks in, the whole body and its share of the room out; and what
//! JSON or a form says in one.
//!
//! A body takes room as its bytes arrive, so one that is announced and never sent keeps
//! nothing from the others. The first bytes wait for room; what a body holds already it
//! would hold while waiting for more, and two such bodies could wait for each other: so
//! a body that cannot grow is refused.

use super::form;
use super::reply::Refusal;
use crate::http::connections::Peer;
use crate::http::room::network;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tokio_stream::StreamExt;

/// Bytes of one request's body, after decompression.
pub const BODY_MAX: usize = 8 << 20;
/// Lists and objects in one body of JSON. Each takes much more room than its two bytes.
pub const GROUPS_MAX: usize = 100_000;
/// Values in one body of JSON, likewise.
pub const VALUES_MAX: usize = 1_000_000;
/// Bytes of a `User-Agent` that are kept.
const USER_AGENT_MAX: usize = 255;
/// Bytes of all bodies that are being read or stored.
pub const BODIES_MAX: usize = 32 << 20;
/// Of these, of one address.
pub const BODIES_SHARE: usize = 16 << 20;
/// How long a client may take to send a body.
pub const BODY_TIME: Duration = Duration::from_secs(30);
/// How long a client may pause within a body.
pub const BODY_PAUSE: Duration = Duration::from_secs(5);
/// How long the first bytes of a body wait for room.
pub const ROOM_TIME: Duration = Duration::from_secs(5);

/// A request's body.
pub struct Received<'a> {
    headers: HeaderMap,
    bytes: Vec<u8>,
    /// Its share of the room, until it has been dealt with.
    _held: Option<Held<'a>>,
}

/// Room that a body has taken: of all, and of its address's share.
struct Held<'a> {
    room: SemaphorePermit<'a>,
    share: OwnedSemaphorePermit,
}

impl Received<'_> {
    /// Who has sent it, by its own account.
    pub fn user_agent(&self) -> Option<String> {
        let agent = text(&self.headers, USER_AGENT)?;
        Some(agent.chars().take(USER_AGENT_MAX).collect())
    }

    /// The object that it is, in JSON or as a form. A form is what it is where nothing is
    /// said: the API's default on all routes but `/v1/measurements`.
    pub fn fields(&self) -> Result<Map<String, Value>, Refusal> {
        match media_type(&self.headers) {
            "" => form::parse(&self.bytes),
            form if form.eq_ignore_ascii_case("application/x-www-form-urlencoded") => {
                form::parse(&self.bytes)
            }
            json if json.eq_ignore_ascii_case("application/json") => self.json(|why| {
                let message = format!("Unable to process JSON: {why}");
                Refusal::request(StatusCode::BAD_REQUEST, message)
            }),
            other => Err(unsupported(format!(
                "Content-Type '{other}' is not supported: send application/json or application/x-www-form-urlencoded"
            ))),
        }
    }

    /// The object that it is in JSON alone, for `/v1/measurements`.
    pub fn json_fields(&self) -> Result<Map<String, Value>, Refusal> {
        match media_type(&self.headers) {
            json if json.eq_ignore_ascii_case("application/json") => {
                self.json(|why| Refusal::not_a_measurement_body(Some(&why)))
            }
            other => Err(unsupported(format!(
                "Content-Type '{other}' is not supported: send application/json"
            ))),
        }
    }

    /// `refuse` gets the cause and, where it has one, its line and column.
    fn json(&self, refuse: impl FnOnce(String) -> Refusal) -> Result<Map<String, Value>, Refusal> {
        let count =
            |wanted: fn(u8) -> bool| self.bytes.iter().filter(|byte| wanted(**byte)).count();
        // Before it is read: tiny objects take a hundred times their bytes.
        if count(|byte| matches!(byte, b'{' | b'[')) > GROUPS_MAX
            || count(|byte| byte == b',') > VALUES_MAX
        {
            return Err(Refusal::request(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body has more than {GROUPS_MAX} lists and objects or {VALUES_MAX} values: send fewer measurements at a time"
                ),
            ));
        }
        match serde_json::from_slice(&self.bytes) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(refuse("an object is expected".to_owned())),
            Err(why) => Err(refuse(why.to_string())),
        }
    }
}

/// Without its parameters; empty where nothing is said.
fn media_type(headers: &HeaderMap) -> &str {
    let content_type = text(headers, CONTENT_TYPE).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn unsupported(message: String) -> Refusal {
    Refusal::request(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

/// The room that all bodies share.
pub struct Bodies {
    room: Semaphore,
    /// What is left of the share of each address that has a body here.
    shares: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
    limits: Limits,
}

struct Limits {
    /// Bytes of all bodies.
    bytes: usize,
    /// Bytes of one address's.
    share: usize,
    time: Duration,
    pause: Duration,
    room_time: Duration,
}

impl Default for Bodies {
    fn default() -> Self {
        Bodies::new(Limits {
            bytes: BODIES_MAX,
            share: BODIES_SHARE,
            time: BODY_TIME,
            pause: BODY_PAUSE,
            room_time: ROOM_TIME,
        })
    }
}

impl Bodies {
    fn new(limits: Limits) -> Self {
        Bodies {
            room: Semaphore::new(limits.bytes),
            shares: Mutex::default(),
            limits,
        }
    }

    fn share(&self, whose: IpAddr) -> Arc<Semaphore> {
        // Nothing panics while it holds the lock.
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&whose).and_then(Weak::upgrade) {
            return share;
        }
        // As many are left as there are bodies, at most.
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(self.limits.share));
        shares.insert(whose, Arc::downgrade(&share));
        share
    }

    /// Reads a body to its end. Its room is given back when the permit is dropped; an
    /// empty body has none.
    ///
    /// Refused are one that is encoded in a way that is not known (415), a body larger than
    /// [`BODY_MAX`] (413), one that takes longer than [`BODY_TIME`] or pauses for
    /// [`BODY_PAUSE`] (408), one that there is no room for, or none for its address
    /// ([`BODIES_SHARE`]; 503) and one that is not what its encoding says (400).
    pub async fn read(&self, request: Request) -> Result<Received<'_>, Refusal> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers;
        // Tests of routes alone have no connection.
        let peer = parts.extensions.get::<Peer>();
        let whose = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| network(peer.0));
        let share = self.share(whose);
        // The decompression layer takes this header away from what it has understood.
        match text(&headers, CONTENT_ENCODING) {
            None | Some("identity") => {}
            Some(other) => {
                return Err(unsupported(format!(
                    "Content-Encoding '{other}' is not supported: send gzip or none"
                )));
            }
        }
        if declared_length(&headers).is_some_and(|length| length > BODY_MAX as u64) {
            return Err(too_large());
        }
        let Limits { time, .. } = self.limits;
        let read = timeout(time, self.read_chunks(body, &share)).await;
        let (bytes, held) = read.unwrap_or_else(|_| {
            let seconds = time.as_secs();
            Err(too_slow(format!("the body took more than {seconds} s")))
        })?;
        Ok(Received {
            headers,
            bytes,
            _held: held,
        })
    }

    async fn read_chunks(
        &self,
        body: Body,
        share: &Arc<Semaphore>,
    ) -> Result<(Vec<u8>, Option<Held<'_>>), Refusal> {
        let mut chunks = body.into_data_stream();
        let mut bytes = Vec::new();
        let mut held = None;
        let Limits { pause, .. } = self.limits;
        loop {
            let next = timeout(pause, chunks.next()).await.map_err(|_| {
                let seconds = pause.as_secs();
                too_slow(format!("nothing of the body came for {seconds} s"))
            })?;
            let Some(chunk) = next else {
                return Ok((bytes, held));
            };
            let chunk = chunk.map_err(|why| {
                Refusal::request(
                    StatusCode::BAD_REQUEST,
                    format!("the body cannot be read: {why}"),
                )
            })?;
            if bytes.len() + chunk.len() > BODY_MAX {
                return Err(too_large());
            }
            // Fits: BODY_MAX does.
            self.hold(&mut held, share, chunk.len() as u32).await?;
            bytes.extend_from_slice(&chunk);
        }
    }

    /// Takes room for so many more bytes.
    async fn hold<'a>(
        &'a self,
        held: &mut Option<Held<'a>>,
        share: &Arc<Semaphore>,
        bytes: u32,
    ) -> Result<(), Refusal> {
        match held {
            None if bytes == 0 => {}
            None => {
                // The share first: who waits for it keeps nothing from other addresses.
                let both = async {
                    let share = Arc::clone(share).acquire_many_owned(bytes).await?;
                    let room = self.room.acquire_many(bytes).await?;
                    Ok::<_, AcquireError>(Held { room, share })
                };
                let both = timeout(self.limits.room_time, both).await;
                *held = Some(both.map_err(|_| full())?.map_err(|_| full())?);
            }
            Some(held) => {
                let more = Arc::clone(share).try_acquire_many_owned(bytes);
                held.share.merge(more.map_err(|_| full())?);
                let more = self.room.try_acquire_many(bytes);
                held.room.merge(more.map_err(|_| full())?);
            }
        }
        Ok(())
    }
}

/// `None` where the request does not say, or says the length before decompression.
fn declared_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, CONTENT_LENGTH)?.parse().ok()
}

fn too_slow(message: String) -> Refusal {
    Refusal::request(StatusCode::REQUEST_TIMEOUT, message)
}

fn too_large() -> Refusal {
    Refusal::request(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is larger than {BODY_MAX} bytes: send fewer measurements at a time"),
    )
}

fn full() -> Refusal {
    Refusal::system("too many bodies are being received at the same time: send this one again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const LONG: Duration = Duration::from_secs(3600);

    fn bodies(bytes: usize) -> Bodies {
        Bodies::new(Limits {
            bytes,
            share: bytes,
            time: LONG,
            pause: LONG,
            room_time: LONG,
        })
    }

    fn sent(chunks: &[&'static str]) -> Body {
        Body::from_stream(tokio_stream::iter(chunks.to_vec()).map(Ok::<_, Infallible>))
    }

    /// Sends this and then nothing, and does not end.
    fn stalled(chunk: &'static str) -> Body {
        let chunks = tokio_stream::once(chunk).chain(tokio_stream::pending());
        Body::from_stream(chunks.map(Ok::<_, Infallible>))
    }

    async fn status(bodies: &Bodies, body: Body) -> u16 {
        match bodies.read(Request::new(body)).await {
            Ok(_) => 200,
            Err(refusal) => refusal.status.as_u16(),
        }
    }

    /// Goes on with it as far as it goes; whether it has ended.
    macro_rules! ends {
        ($reading:expr) => {
            timeout(Duration::ZERO, &mut $reading).await.is_ok()
        };
    }

    #[tokio::test]
    async fn a_body_holds_what_has_come_until_its_permit_is_dropped() {
        let bodies = bodies(10);
        let mut slow = Box::pin(bodies.read(Request::new(stalled("abc"))));
        assert!(!ends!(slow));
        assert_eq!(bodies.room.available_permits(), 7);
        let body = bodies.read(Request::new(sent(&["12", "345"])));
        let body = body.await.unwrap();
        assert_eq!(
            (body.bytes.as_slice(), bodies.room.available_permits()),
            (&b"12345"[..], 2)
        );
        drop((body, slow));
        assert_eq!(bodies.room.available_permits(), 10);
        let empty = bodies.read(Request::new(sent(&[]))).await;
        assert_eq!(empty.unwrap().bytes, b"");
    }

    #[tokio::test]
    async fn a_body_waits_for_its_first_room_and_is_refused_when_it_cannot_grow() {
        let bodies = bodies(10);
        let mut slow = Box::pin(bodies.read(Request::new(stalled("12345678"))));
        assert!(!ends!(slow));
        assert_eq!(status(&bodies, sent(&["a", "bc"])).await, 503);
        let mut waiting = Box::pin(bodies.read(Request::new(sent(&["abc"]))));
        assert!(!ends!(waiting));
        drop(slow);
        assert!(ends!(waiting));
        drop(waiting);
        assert_eq!(status(&bodies, sent(&["a", "bc"])).await, 200);
    }

    #[tokio::test]
    async fn one_address_has_its_share_and_leaves_the_rest_to_others() {
        let mut bodies = bodies(10);
        bodies.limits.share = 5;
        let from = |address: &str, body: Body| {
            let mut request = Request::new(body);
            let peer = Peer(address.parse().unwrap());
            request.extensions_mut().insert(peer);
            request
        };
        let mut slow = Box::pin(bodies.read(from("2001:db8::1", stalled("1234"))));
        assert!(!ends!(slow));
        // Of the same network; it has no room to grow, or to begin.
        let grown = bodies.read(from("2001:db8::2", sent(&["a", "b"]))).await;
        assert_eq!(grown.err().map(|why| why.status.as_u16()), Some(503));
        let mut waiting = Box::pin(bodies.read(from("2001:db8::3", sent(&["ab"]))));
        assert!(!ends!(waiting));
        let other = bodies.read(from("192.0.2.1", sent(&["123", "45"]))).await;
        assert!(other.is_ok());
        drop(slow);
        assert!(ends!(waiting));
        drop((waiting, other));
        assert_eq!(bodies.room.available_permits(), 10);
        // Nobody is kept who has gone.
        drop(bodies.share("192.0.2.9".parse().unwrap()));
        assert_eq!(bodies.shares.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_takes_too_long_is_refused() {
        let none = Duration::ZERO;
        for (time, pause, room_time, body, want) in [
            (LONG, none, LONG, stalled("a"), 408),
            (none, LONG, LONG, stalled("a"), 408),
            (
                LONG,
                LONG,
                none,
                sent(&["more than there is room for"]),
                503,
            ),
            (none, none, none, sent(&["at ", "once"]), 200),
        ] {
            let bodies = Bodies::new(Limits {
                bytes: 10,
                share: 10,
                time,
                pause,
                room_time,
            });
            assert_eq!(status(&bodies, body).await, want);
        }
    }
}
