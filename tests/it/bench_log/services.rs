//! Fifty services unlike each other, what is asked of them, and how they take it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

pub const SERVICES: usize = 50;

/// Servers of each service.
pub const SERVERS: usize = 5;

/// The names of the services, the busiest first.
const NAMES: [&str; SERVICES] = [
    "catalog",
    "search",
    "images",
    "sessions",
    "prices",
    "carts",
    "users",
    "stock",
    "suggest",
    "recommend",
    "banners",
    "orders",
    "checkout",
    "payments",
    "shipping",
    "tax",
    "vouchers",
    "reviews",
    "ratings",
    "wishlists",
    "addresses",
    "loyalty",
    "invoices",
    "returns",
    "tracking",
    "stores",
    "geo",
    "translate",
    "currency",
    "fraud",
    "mail",
    "sms",
    "push",
    "feeds",
    "events",
    "audit",
    "consent",
    "captcha",
    "oauth",
    "tokens",
    "devices",
    "flags",
    "experiments",
    "partners",
    "suppliers",
    "warehouse",
    "reports",
    "exports",
    "backoffice",
    "status",
];

const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15",
    "okhttp/4.12.0",
    "shop-app/7.31 (Android 15)",
    "Go-http-client/1.1",
    "python-requests/2.32.3",
    "curl/8.14.1",
    "",
];

/// One request in so many is odd.
const ODD_EVERY: usize = 30;

/// What odd requests ask for where it does not matter.
const ANY: &str = "GET /v1/any/4711";

const CLOSE: &str = "Connection: close\r\n";

/// A service, and what is peculiar to it.
pub struct Service {
    pub name: &'static str,
    /// How many clients ask it at the same time.
    pub clients: usize,
    /// Its part of all requests.
    pub share: f64,
    /// Half of its answers take longer, in milliseconds.
    median: f64,
    /// How many of its answers are errors of its own, of a thousand.
    errors: u32,
    /// Its servers take one request at a time: the others queue.
    pub queues: bool,
    /// Its last server takes no connections, and is not known to be down.
    pub has_dead_server: bool,
}

/// All of them; the same ones each time.
pub fn all() -> Vec<Service> {
    let weight = |rank: usize| (rank as f64 + 3.0).powf(-0.8);
    let sum: f64 = (0..SERVICES).map(weight).sum();
    let service = |(rank, name)| Service {
        name,
        clients: if rank % 12 == 4 {
            12
        } else {
            2 + (SERVICES - rank) / 12
        },
        share: weight(rank) / sum,
        median: [2.0, 25.0, 4.0, 9.0, 60.0, 1.5, 14.0][rank % 7],
        errors: [2, 10, 0, 25, 5][rank % 5],
        queues: rank % 12 == 4,
        has_dead_server: rank % 10 == 6,
    };
    NAMES.into_iter().enumerate().map(service).collect()
}

/// What a client does; HAProxy writes one line for each.
pub struct Request {
    pub bytes: Vec<u8>,
    pub then: Then,
}

#[derive(Clone, Copy)]
pub enum Then {
    /// Reads the answer and keeps the connection.
    Keep,
    /// On a connection of its own: reads until the other side closes it.
    ReadToEnd,
    /// On a connection of its own: leaves without reading, after this wait.
    LeaveAfter(Duration),
}

/// The requests of one client, one after the other.
pub struct Requests<'a> {
    service: &'a Service,
    random: StdRng,
}

impl<'a> Requests<'a> {
    pub fn new(service: &'a Service, seed: u64) -> Requests<'a> {
        Requests {
            service,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// The next one, which is the `number`th of all that are sent: an odd one now and then.
    pub fn next(&mut self, number: usize) -> Request {
        if !number.is_multiple_of(ODD_EVERY) {
            return self.ordinary();
        }
        match number / ODD_EVERY % 12 {
            0 => read(b"\x16\x03\x01 no HTTP\r\n\r\n".to_vec()),
            1 => read(b"GET /slow HT".to_vec()),
            2 => left(b"GET /gone HT".to_vec(), 20),
            // Waits for an answer that takes long, and does not wait for it.
            3 => left(self.request(ANY, "x-delay: 700\r\n"), 60),
            4 | 5 => left(self.request(ANY, "x-size: 9000000\r\n"), 40),
            6 => read(self.request(ANY, "x-drop: 1\r\nConnection: close\r\n")),
            7 => read(self.request(ANY, "x-delay: 1500\r\nConnection: close\r\n")),
            8 => read(self.request("GET /admin/users", CLOSE)),
            9 => read(self.request("GET /nobody", CLOSE)),
            10 => read(self.request("GET /refused", CLOSE)),
            _ => read(self.request("GET /old/page?id=7", CLOSE)),
        }
    }

    fn ordinary(&mut self) -> Request {
        // A log-normal time, of which one in fifty waits for something else, too.
        let slower = if self.random.random_range(0..50) == 0 {
            8.0
        } else {
            1.0
        };
        let delay = (self.service.median * slower * (0.7 * self.normal()).exp()).min(900.0);
        let line = self.line();
        let status = match self.random.random_range(0..1000) {
            n if n < self.service.errors => [500, 500, 500, 502, 503][n as usize % 5],
            25..40 => 404,
            40..48 => 400,
            48..54 => 401,
            54..60 => 429,
            60..90 => 304,
            90..110 => 302,
            110..150 => 201,
            150..165 => 204,
            _ => 200,
        };
        let size = match (status, line.starts_with("HEAD ")) {
            (204 | 304, _) | (_, true) => 0.0,
            _ => (600.0 * (1.5 * self.normal()).exp()).min(200_000.0),
        };
        let headers = format!("x-delay: {delay:.0}\r\nx-size: {size:.0}\r\nx-status: {status}\r\n");
        Request {
            bytes: self.request(&line, &headers),
            then: Then::Keep,
        }
    }

    /// Method and target.
    fn line(&mut self) -> String {
        let id: u32 = self.random.random_range(1000..10_000_000);
        let few: u32 = self.random.random_range(1..40);
        let name = self.service.name;
        match self.random.random_range(0..20) {
            0..5 => format!("GET /v1/{name}/{id}"),
            5..8 => format!("GET /v1/{name}?page={few}&size=50&sort=-created"),
            8 | 9 => format!("GET /v2/{name}/{id}/items/{few}?fields=id,name,price"),
            10 => format!("GET /v1/{name}/search?q=caf%C3%A9+{id}&in=[title]&lang=de"),
            11 => format!("GET /static/{name}/{id:x}/app.min.js?v=7.31.{few}"),
            12 => "GET /health".to_owned(),
            13 => format!("HEAD /v1/{name}/{id}"),
            14..16 => format!("POST /v1/{name}"),
            16 => format!("POST /v1/{name}/{id}/events"),
            17 => format!("PUT /v1/{name}/{id}"),
            18 => format!("PATCH /v2/{name}/{id}/items/{few}"),
            _ => format!("DELETE /v1/{name}/{id}"),
        }
    }

    fn request(&mut self, line: &str, headers: &str) -> Vec<u8> {
        let id: u128 = self.random.random();
        let id = format!("{id:032x}");
        let agent = AGENTS[self.random.random_range(0..AGENTS.len())];
        let agent = match agent {
            "" => String::new(),
            agent => format!("User-Agent: {agent}\r\n"),
        };
        let body = match line.starts_with('P') {
            true => "{\"amount\": 12}",
            false => "",
        };
        let text = format!(
            "{line} HTTP/1.1\r\nHost: shop.example\r\nX-Request-Id: {}-{}-{}-{}-{}\r\n{agent}\
             {headers}Content-Length: {}\r\n\r\n{body}",
            &id[..8],
            &id[8..12],
            &id[12..16],
            &id[16..20],
            &id[20..],
            body.len()
        );
        text.into_bytes()
    }

    /// Of the standard normal distribution, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let (a, b): (f64, f64) = self.random.random();
        (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

fn read(bytes: Vec<u8>) -> Request {
    Request {
        bytes,
        then: Then::ReadToEnd,
    }
}

fn left(bytes: Vec<u8>, millis: u64) -> Request {
    Request {
        bytes,
        then: Then::LeaveAfter(Duration::from_millis(millis)),
    }
}
