//! `weir top`: a running weir in a terminal. What the page reads enters, over HTTP, and keys
//! enter; a screen full of characters leaves.
//!
//! [`model`] decides what is shown and what is asked for; it knows no terminal, no socket and
//! no clock. [`view`] draws it, the same model always the same. [`fetch`] and [`terminal`]
//! are the edges, and thin. What is warn and what is bad the server says, in the list; of the
//! pipeline's counters, [`alarms`] says it in the page's words.
//!
//! Bounds: one stream and at most one question a second to weir; 64 MiB of one answer. All
//! text from outside is made harmless where it is decoded ([`text`]).

pub mod address;
pub mod alarms;
pub mod fetch;
pub mod format;
mod layout;
pub mod model;
mod sse;
pub mod terminal;
pub mod text;
pub mod view;
pub mod wire;

use crate::clock;
use anyhow::{Context, anyhow};
use fetch::{Client, Failure};
use model::{Model, News, Then};
use std::time::Duration;
use terminal::{Screen, Typed};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use view::Look;

/// News that wait to be drawn; weir waits meanwhile, and then sends the newest.
const NEWS_MAX: usize = 16;
/// How often the time is looked at: the clock on the screen shows seconds.
const TICK: Duration = Duration::from_millis(250);
/// How long a stop waits for a terminal that takes nothing any more.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Why it did not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There was no answer at the start.
    #[error(transparent)]
    Start(#[from] Failure),
    #[error(transparent)]
    Run(#[from] anyhow::Error),
}

/// Shows it until a key or a signal ends it.
pub async fn run(client: Client, source: &str, look: &Look) -> Result<(), Error> {
    // Before the terminal is taken: a stop asked for meanwhile is not forgotten.
    let mut signals = Signals::new()?;
    let stream = client.open().await?;
    let mut screen = Screen::take(look.colour).context("cannot take over the terminal")?;
    let mut keys = terminal::keys().context("cannot read keys")?;
    let (sender, mut news) = mpsc::channel(NEWS_MAX);
    let mut tasks = JoinSet::new();
    tasks.spawn(fetch::follow(client.clone(), stream, sender.clone()));
    let mut model = Model::new(source, clock::now());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut changed = true;
    loop {
        if changed {
            screen.draw(&mut model, look).context(GONE)?;
        }
        let mut then = Then::Draw;
        changed = tokio::select! {
            told = signals.next() => match told {
                Told::Stop => return Ok(()),
                Told::GoOn => {
                    screen.resume().context(GONE)?;
                    true
                }
            },
            typed = keys.recv() => {
                then = take_typed(&mut model, typed)?;
                true
            }
            told = news.recv() => {
                model.news(told.context("nobody tells news any more")?, clock::now());
                true
            }
            _ = ticks.tick() => model.tick(clock::now()),
            Some(ended) = tasks.join_next() => {
                // Its panic has been told, and has given the terminal back.
                ended.context("a part of it has failed")?;
                false
            }
        };
        // What has come together is drawn together.
        while then == Then::Draw && changed {
            if let Ok(typed) = keys.try_recv() {
                then = take_typed(&mut model, Some(typed))?;
            } else if let Ok(told) = news.try_recv() {
                model.news(told, clock::now());
            } else {
                break;
            }
        }
        match then {
            Then::Quit => return Ok(()),
            Then::Redraw => screen.forget().context(GONE)?,
            Then::Suspend => screen.suspend().context(GONE)?,
            Then::Draw => {}
        }
        if let Some(ask) = model.ask() {
            let (client, sender) = (client.clone(), sender.clone());
            tasks.spawn(async move {
                let answer = client.ask(ask).await;
                // Fails only at the end, when nobody wants to know.
                let _ = sender.send(News::Answered(answer)).await;
            });
        }
    }
}

const GONE: &str = "the terminal is gone";

fn take_typed(model: &mut Model, typed: Option<Typed>) -> Result<Then, Error> {
    match typed {
        Some(Typed::Key(key)) => Ok(model.key(key, clock::now())),
        Some(Typed::Resized) => Ok(Then::Draw),
        None => Err(Error::Run(anyhow!(GONE))),
    }
}

enum Told {
    Stop,
    /// It was stopped, and may go on.
    GoOn,
}

/// Signals that end it, and the one that tells that it goes on.
struct Signals {
    stop: mpsc::Receiver<()>,
    go_on: Signal,
}

impl Signals {
    fn new() -> Result<Signals, anyhow::Error> {
        let (sender, stop) = mpsc::channel(1);
        let kinds = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
        ];
        for kind in kinds {
            let mut signal = signal(kind).context("cannot wait for signals")?;
            let sender = sender.clone();
            tokio::spawn(async move {
                if signal.recv().await.is_none() {
                    return;
                }
                // Where there is no room, one is waiting already.
                let _ = sender.try_send(());
                // A terminal that takes nothing holds up whoever draws. It is past help.
                tokio::time::sleep(STOP_WITHIN).await;
                terminal::abandon();
                std::process::exit(3);
            });
        }
        let go_on = signal(SignalKind::from_raw(nix::libc::SIGCONT));
        Ok(Signals {
            stop,
            go_on: go_on.context("cannot wait for signals")?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            Some(()) = self.stop.recv() => Told::Stop,
            Some(()) = self.go_on.recv() => Told::GoOn,
        }
    }
}
