//! Where the weir is that is looked at: a URL as given, and the paths below it.

use reqwest::Url;
use std::fmt;
use std::str::FromStr;

/// An `http` or `https` URL to which paths can be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is no such URL. Ends with what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("{0}: write it as in http://127.0.0.1:8420")]
    Url(String),
    #[error(
        "it has a password: put weir's token into the environment variable WEIR_TOKEN, where other users do not see it"
    )]
    Credentials,
    #[error("it goes on behind a `?` or `#`: leave that out")]
    Query,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let mut url = Url::parse(text).map_err(|why| BadAddress::Url(why.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(BadAddress::Url("it begins with no http://".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadAddress::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadAddress::Query);
        }
        // Behind a proxy, weir may be below a path.
        let below = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&below);
        Ok(Address(url))
    }
}

impl Address {
    /// The URL of `/api/v1/` and these parts, which may be any text.
    pub fn api(&self, parts: &[&str]) -> Url {
        let mut url = self.0.clone();
        url.path_segments_mut()
            .expect("an http URL has a path")
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(parts);
        url
    }

    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Host, port and path, without what is always the same.
    pub fn short(&self) -> String {
        let shown = self.to_string();
        shown.strip_prefix("http://").unwrap_or(&shown).to_owned()
    }
}

/// Without a slash at its end.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_added_and_their_parts_may_be_any_text() {
        for (text, parts, url) in [
            (
                "http://127.0.0.1:8420",
                &["services"][..],
                "http://127.0.0.1:8420/api/v1/services",
            ),
            (
                "https://ops.example/weir/",
                &["services", "a/b ?#%..é"],
                "https://ops.example/weir/api/v1/services/a%2Fb%20%3F%23%25..%C3%A9",
            ),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.api(parts).as_str(), url);
        }
        let address: Address = "http://[::1]:8420/weir/".parse().unwrap();
        assert_eq!(address.to_string(), "http://[::1]:8420/weir");
        assert_eq!(address.short(), "[::1]:8420/weir");
        assert!(address.is_loopback());
    }

    #[test]
    fn what_is_no_address_is_told_what_to_do() {
        for text in [
            "127.0.0.1:8420",
            "localhost:8420",
            "weir",
            "ftp://a",
            "http://",
        ] {
            let told = text.parse::<Address>().unwrap_err().to_string();
            assert!(told.ends_with("http://127.0.0.1:8420"), "{text}: {told}");
        }
        let bad = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(bad("http://u:p@a"), BadAddress::Credentials);
        assert_eq!(bad("http://a/?b"), BadAddress::Query);
    }
}
