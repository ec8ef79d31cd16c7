//! Ctrl-C: the first ends reading, so that what was read is told; the second ends all.

use crate::replay::Stop;
use anyhow::Context;
use std::process;
use std::thread;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// As everything that could not be done to its end.
const EXIT_CODE: i32 = 3;

/// From here on SIGINT sets `stop`, and once more ends the process.
pub fn watch(stop: Stop) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start a runtime")?;
    let mut interrupts = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?
    };
    let wait = move || {
        runtime.block_on(async {
            interrupts.recv().await;
            stop.set();
            interrupts.recv().await;
            process::exit(EXIT_CODE)
        })
    };
    let thread = thread::Builder::new().name("interrupt".to_owned());
    thread.spawn(wait).context("cannot start a thread")?;
    Ok(())
}
