//! Work on bytes that nobody vouches for, in a library that may panic over them.
//!
//! A panic is an answer here, "it cannot be read", and whoever asked says so in its own
//! words. So it is not printed, as every other panic is.

use std::any::Any;
use std::cell::Cell;
use std::io::{Error, ErrorKind};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Panics of this thread are not printed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does the work; an error is what its panic had to say. What the work has changed is not
/// to be used after a panic.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                print(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    done.map_err(|panic| text(&*panic))
}

/// Whether an error of a file's reading is about what is in it, rather than about the disk.
pub fn tells_damage(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof
    )
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it cannot be read").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(caught(|| panic!("bad")), Err::<(), _>("bad".to_owned()));
        let page = 7;
        assert_eq!(
            caught(|| panic!("bad page {page}")),
            Err::<(), _>("bad page 7".to_owned())
        );
    }

    /// Runs this very test again as the process that prints.
    #[test]
    fn it_is_not_printed_and_others_are() {
        const CHILD: &str = "WEIR_GUARD_TEST";
        if std::env::var_os(CHILD).is_some() {
            let unread = || -> () { panic!("unread") };
            let nested = caught(|| {
                assert!(caught(unread).is_err());
                unread();
            });
            assert!(nested.is_err() && caught(unread).is_err());
            panic!("of others");
        }
        let name = "guard::tests::it_is_not_printed_and_others_are";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let printed =
            String::from_utf8_lossy(&child.stderr) + String::from_utf8_lossy(&child.stdout);
        assert!(printed.contains("of others"), "{printed}");
        assert!(!printed.contains("unread"), "{printed}");
    }
}
