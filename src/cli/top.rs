//! `weir top`: a running weir in a terminal.

use super::Failure;
use crate::top::address::Address;
use crate::top::fetch::Client;
use crate::top::view::Look;
use crate::top::{self, Error};
use anyhow::{Context, anyhow};
use clap::ValueEnum;
use jiff::tz::TimeZone;
use std::env;
use std::fs::File;
use std::io::{self, IsTerminal};

/// Where the token is.
const TOKEN: &str = "WEIR_TOKEN";

#[derive(clap::Args)]
pub struct Arguments {
    /// Where the weir to look at answers over HTTP
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8420")]
    url: Address,
    /// Whether to use colours; `auto`: unless NO_COLOR is set or the terminal has none
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let terminal = Terminal {
        is_one: io::stdout().is_terminal() && has_keys(),
        kind: variable("TERM"),
        no_color: variable("NO_COLOR"),
        locale: ["LC_ALL", "LC_CTYPE", "LANG"].map(variable),
    };
    terminal.check(&arguments.url).map_err(Failure::Usage)?;
    let look = Look {
        colour: terminal.has_colour(arguments.color),
        unicode: terminal.has_unicode(),
        zone: TimeZone::system(),
    };
    let address = arguments.url;
    let token = Some(variable(TOKEN)).filter(|token| !token.is_empty());
    let client = Client::new(address.clone(), token).map_err(anyhow::Error::msg)?;
    // One thread beside this one is enough for one stream.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(top::run(client, &address.short(), &look));
    ended.map_err(|error| match error {
        Error::Start(failure) => {
            let hint = failure.hint();
            let said = format!("cannot show the weir at {address}: {failure}\n\nhint: {hint}");
            match failure.is_passing() {
                true => Failure::Run(anyhow!(said)),
                false => Failure::Input(format!("error: {said}")),
            }
        }
        Error::Run(error) => Failure::Run(error),
    })
}

/// Keys come from standard input or, where that is something else, from the terminal that
/// weir was started in.
fn has_keys() -> bool {
    io::stdin().is_terminal() || File::open("/dev/tty").is_ok()
}

/// Empty where it is not set, or no text.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// What the environment says of the terminal.
#[derive(Debug, Default)]
struct Terminal {
    is_one: bool,
    kind: String,
    no_color: String,
    /// `LC_ALL`, `LC_CTYPE` and `LANG`: the first that is set holds.
    locale: [String; 3],
}

impl Terminal {
    /// Whether it can be drawn on.
    fn check(&self, url: &Address) -> Result<(), String> {
        if !self.is_one {
            let services = url.api(&["services"]);
            return Err(format!(
                "error: `weir top` needs a terminal to draw on and to read keys from\n\nhint: \
                 programs find the same at {services}, as by `curl {services}`; over ssh, \
                 `ssh -t` gives a terminal"
            ));
        }
        if matches!(&*self.kind, "" | "dumb") {
            let is = match self.kind.is_empty() {
                true => "TERM is not set",
                false => "TERM is `dumb`",
            };
            return Err(format!(
                "error: {is}: such a terminal cannot move its cursor, so nothing can be drawn \
                 on it\n\nhint: run it in another terminal, or set TERM to what this one is, as \
                 TERM=xterm"
            ));
        }
        Ok(())
    }

    fn has_colour(&self, asked: Colour) -> bool {
        // Those that people still meet and that have none, and by custom all with this end.
        let monochrome =
            self.kind.ends_with("-m") || matches!(&*self.kind, "vt100" | "vt102" | "vt220");
        match asked {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => self.no_color.is_empty() && !monochrome,
        }
    }

    fn has_unicode(&self) -> bool {
        let locale = self.locale.iter().find(|locale| !locale.is_empty());
        let locale = locale.map_or(String::new(), |locale| locale.to_ascii_lowercase());
        locale.contains("utf-8") || locale.contains("utf8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(kind: &str) -> Terminal {
        Terminal {
            is_one: true,
            kind: kind.into(),
            ..Terminal::default()
        }
    }

    #[test]
    fn what_cannot_be_drawn_on_is_told_with_a_remedy() {
        let url: Address = "http://10.0.0.1:8420".parse().unwrap();
        assert_eq!(terminal("xterm-256color").check(&url), Ok(()));
        for (terminal, told) in [
            (terminal("dumb"), "TERM is `dumb`"),
            (terminal(""), "TERM is not set"),
            (
                Terminal::default(),
                "curl http://10.0.0.1:8420/api/v1/services",
            ),
        ] {
            let error = terminal.check(&url).unwrap_err();
            assert!(
                error.contains(told) && error.contains("\n\nhint: "),
                "{error}"
            );
        }
    }

    #[test]
    fn colours_are_there_unless_the_terminal_or_its_user_has_none() {
        for (kind, no_color, asked, colour) in [
            ("xterm", "", Colour::Auto, true),
            ("xterm", "1", Colour::Auto, false),
            ("xterm", "1", Colour::Always, true),
            ("xterm", "", Colour::Never, false),
            ("vt100", "", Colour::Auto, false),
            ("linux-m", "", Colour::Auto, false),
            ("linux-m", "", Colour::Always, true),
        ] {
            let terminal = Terminal {
                no_color: no_color.into(),
                ..terminal(kind)
            };
            assert_eq!(
                terminal.has_colour(asked),
                colour,
                "{kind} {no_color:?} {asked:?}"
            );
        }
    }

    #[test]
    fn the_locale_says_whether_there_is_more_than_ascii() {
        for (locale, unicode) in [
            (["", "", "en_GB.UTF-8"], true),
            (["", "C.utf8", "C"], true),
            (["C", "", "en_GB.UTF-8"], false),
            (["", "", "POSIX"], false),
            (["", "", ""], false),
        ] {
            let terminal = Terminal {
                locale: locale.map(str::to_owned),
                ..terminal("xterm")
            };
            assert_eq!(terminal.has_unicode(), unicode, "{locale:?}");
        }
    }
}
