//! What a session is opened with: `NAME[=VALUE[,VALUE]...]` lines of what each side can do.

use bstr::ByteSlice;
use thiserror::Error;

/// The version that librelp calls experimental, speaks, and has spoken since 2008. Senders
/// that offer a later one speak this one too.
const VERSION: u32 = 0;

/// Why a session cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unacceptable {
    #[error("the offers are too long")]
    TooLong,
    #[error("there is no offer of a relp_version")]
    Version,
    #[error("the command syslog is not offered")]
    Syslog,
}

/// Whether a sender offers what is needed. What else it offers does not matter.
pub(super) fn check(offers: &[u8]) -> Result<(), Unacceptable> {
    let (mut version, mut syslog) = (false, false);
    for line in offers.split_str("\n") {
        let (name, values) = line.split_once_str("=").unwrap_or((line, b""));
        let mut values = values.split_str(",").map(|value| value.trim_ascii());
        match name {
            b"relp_version" => {
                let number = |value: &[u8]| value.to_str().ok()?.parse::<u32>().ok();
                version |= values.next().and_then(number).is_some();
            }
            b"commands" => syslog |= values.any(|value| value == b"syslog"),
            _ => {}
        }
    }
    match (version, syslog) {
        (true, true) => Ok(()),
        (false, _) => Err(Unacceptable::Version),
        (true, false) => Err(Unacceptable::Syslog),
    }
}

/// What the answer to good offers says.
pub(super) fn accepted() -> String {
    format!(
        "200 OK\nrelp_version={VERSION}\nrelp_software=weir,{}\ncommands=syslog",
        env!("CARGO_PKG_VERSION")
    )
}

#[test]
fn a_version_and_the_syslog_command_are_needed() {
    for (offers, expected) in [
        // rsyslog's.
        (
            "relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog",
            Ok(()),
        ),
        ("\nrelp_version=1\ncommands=eventlog,syslog\n", Ok(())),
        ("commands=syslog\nrelp_version=0\nstarttls", Ok(())),
        ("", Err(Unacceptable::Version)),
        ("commands=syslog", Err(Unacceptable::Version)),
        ("relp_version=\ncommands=syslog", Err(Unacceptable::Version)),
        (
            "relp_version=-1\ncommands=syslog",
            Err(Unacceptable::Version),
        ),
        ("relp_version=0", Err(Unacceptable::Syslog)),
        ("relp_version=0\ncommands=", Err(Unacceptable::Syslog)),
        (
            "relp_version=0\ncommands=syslogs",
            Err(Unacceptable::Syslog),
        ),
    ] {
        assert_eq!(check(offers.as_bytes()), expected, "{offers}");
    }
}
