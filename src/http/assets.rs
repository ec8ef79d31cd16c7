//! The page's files, embedded in the binary: `index.html` at `/`, the others under
//! `/assets/`.
//!
//! Browsers keep a copy and ask each time whether it is still the one (`no-cache` with
//! an entity tag), so a new weir shows its new page at once. Whoever can unpack gzip, and every
//! browser can, is sent that: the page is to come over a slow line too. The page loads nothing
//! from elsewhere, and the security policy holds it to that.

use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::{Embed, EmbeddedFile};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Images may be `data:` since a style sheet's small icons are.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Packed files that are kept; at so many, all are forgotten and packed again when asked for.
/// The page has fewer: only who works on it, with files that change, meets the bound.
const PACKED_MAX: usize = 256;

#[derive(Embed)]
#[folder = "src/dashboard/assets/"]
struct Assets;

/// Files as gzip, by the hash of what is in them: each is packed once.
static PACKED: LazyLock<Mutex<HashMap<[u8; 32], Bytes>>> = LazyLock::new(Mutex::default);

pub fn router() -> Router {
    Router::new()
        .route(
            "/",
            get(async |headers: HeaderMap| serve("index.html", &headers)),
        )
        .route(
            "/assets/{*path}",
            get(async |Path(path): Path<String>, headers: HeaderMap| serve(&path, &headers)),
        )
}

fn serve(path: &str, headers: &HeaderMap) -> Response {
    match Assets::get(path) {
        Some(file) => respond(path, file, headers),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

fn respond(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let packed = accepts_gzip(headers).then(|| packed(&file)).flatten();
    let tag = entity_tag(&file, packed.is_some());
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    let fresh = known.is_some_and(|known| {
        known
            .split(',')
            .any(|known| known.trim().trim_start_matches("W/") == tag)
    });
    let headers = [
        (CONTENT_TYPE, content_type(path)),
        (ETAG, tag.as_str()),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    if fresh {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    match packed {
        None => (headers, Body::from(file.data.into_owned())).into_response(),
        Some(packed) => {
            let mut answer = (headers, Body::from(packed)).into_response();
            let gzip = HeaderValue::from_static("gzip");
            answer.headers_mut().insert(CONTENT_ENCODING, gzip);
            answer
        }
    }
}

/// Half of the SHA-256 tells versions of one file apart, and a word what it is packed as.
fn entity_tag(file: &EmbeddedFile, is_packed: bool) -> String {
    let mut tag = String::from("\"");
    for byte in &file.metadata.sha256_hash()[..16] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag + if is_packed { "-gzip\"" } else { "\"" }
}

/// Whether gzip is named and not ruled out by a weight of 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| {
        accepted.split(',').any(|one| {
            let mut parts = one.split(';').map(str::trim);
            let is_gzip = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            is_gzip && weight.and_then(|weight| weight.parse::<f32>().ok()) != Some(0.0)
        })
    })
}

/// The file as gzip; `None` where that is no smaller.
fn packed(file: &EmbeddedFile) -> Option<Bytes> {
    let mut kept = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= PACKED_MAX {
        kept.clear();
    }
    let packed = match kept.get(&file.metadata.sha256_hash()) {
        Some(packed) => packed.clone(),
        None => {
            let packed = Bytes::from(pack(&file.data).ok()?);
            kept.insert(file.metadata.sha256_hash(), packed.clone());
            packed
        }
    };
    (packed.len() < file.data.len()).then_some(packed)
}

fn pack(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data)?;
    encoder.finish()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, Request};
    use flate2::read::GzDecoder;
    use std::io::Read;
    use tower::ServiceExt;

    async fn get(path: &str, known: Option<&str>) -> Response {
        match known {
            Some(known) => get_with(path, &[(IF_NONE_MATCH, known)]).await,
            None => get_with(path, &[]).await,
        }
    }

    async fn get_with(path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        router()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn body(response: Response) -> Vec<u8> {
        let body = response.into_body();
        axum::body::to_bytes(body, usize::MAX).await.unwrap().into()
    }

    #[tokio::test]
    async fn the_page_is_served_guarded_and_revalidated() {
        let page = get("/", None).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"));
        let tag = page.headers()[ETAG].to_str().unwrap();
        assert_eq!(get("/", Some(tag)).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(get("/", Some("\"other\"")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn who_can_unpack_gzip_gets_it_and_all_get_the_same() {
        let plain = body(get("/assets/app.js", None).await).await;
        for (accepted, want) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP ; q=0.5", true),
            ("gzip;q=0, br", false),
            ("gzip;q=0.000", false),
            ("x-gzip", false),
            ("", false),
        ] {
            let answer = get_with("/assets/app.js", &[(ACCEPT_ENCODING, accepted)]).await;
            assert_eq!(answer.headers()[VARY], "accept-encoding");
            let encoding = answer.headers().get(CONTENT_ENCODING).cloned();
            let is_packed = encoding.is_some_and(|encoding| encoding == "gzip");
            assert_eq!(is_packed, want, "{accepted}");
            let sent = body(answer).await;
            if is_packed {
                assert!(sent.len() < plain.len() / 2, "{} bytes", sent.len());
                let mut unpacked = Vec::new();
                GzDecoder::new(&*sent).read_to_end(&mut unpacked).unwrap();
                assert!(unpacked == plain, "{accepted}");
            } else {
                assert!(sent == plain, "{accepted}");
            }
        }
        // A copy of the one is not a copy of the other.
        let gzip = (ACCEPT_ENCODING, "gzip");
        let answer = get_with("/assets/app.js", std::slice::from_ref(&gzip)).await;
        let tag = answer.headers()[ETAG].to_str().unwrap().to_owned();
        let again = get("/assets/app.js", Some(&tag)).await;
        assert_eq!(again.status(), StatusCode::OK);
        let again = get_with("/assets/app.js", &[gzip, (IF_NONE_MATCH, &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn the_page_asks_for_all_its_modules_at_once_and_for_nothing_that_is_not_there() {
        let page = String::from_utf8(body(get("/", None).await).await).unwrap();
        let linked: Vec<&str> = page
            .split('"')
            .filter_map(|part| part.strip_prefix("assets/"))
            .collect();
        for path in &linked {
            assert!(Assets::get(path).is_some(), "there is no {path}");
        }
        for path in Assets::iter().filter(|path| path.ends_with(".js")) {
            assert!(linked.contains(&&*path), "{path} is in no link");
        }
    }

    #[tokio::test]
    async fn nothing_outside_the_folder_is_served() {
        for path in [
            "/assets/none.js",
            "/assets/../mod.rs",
            "/assets/%2e%2e/mod.rs",
            "/assets//etc/passwd",
        ] {
            assert_eq!(
                get(path, None).await.status(),
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
    }
}
