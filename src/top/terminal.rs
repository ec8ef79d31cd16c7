//! The edge towards the terminal: taken over, drawn on, read from, and always given back as
//! it was.

use super::model::{Key, Model};
use super::view::{self, Look};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, event, execute, style, terminal};
use nix::sys::signal::{Signal, raise};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::{self, BufWriter, Stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{panic, thread};
use tokio::sync::mpsc;

/// Bytes of what one drawing writes at once: a large screen in colours.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// The terminal is ours, and not yet given back.
static TAKEN: AtomicBool = AtomicBool::new(false);

type Backend = CrosstermBackend<BufWriter<Stdout>>;

/// The whole screen. Dropped, the terminal is as it was; so it is after a panic, before that
/// is told.
pub struct Screen {
    terminal: Terminal<Backend>,
}

/// What is typed, or that the screen has another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    Key(Key),
    Resized,
}

impl Screen {
    /// Takes the terminal over.
    pub fn take(colour: bool) -> io::Result<Screen> {
        // Else what resets colours is written although there are none.
        style::force_color_output(colour);
        restore_at_panic();
        let out = BufWriter::with_capacity(WRITTEN_AT_ONCE, io::stdout());
        take()?;
        // From here on: a failure below gives it back.
        let screen = Terminal::new(CrosstermBackend::new(out)).map(|terminal| Screen { terminal });
        if screen.is_err() {
            restore();
        }
        screen
    }

    pub fn draw(&mut self, model: &mut Model, look: &Look) -> io::Result<()> {
        self.terminal.draw(|frame| {
            model.resize(frame.area().height);
            let drawn = view::draw(model, look, frame.buffer_mut());
            model.drawn(drawn.scroll_max);
            if let Some(cursor) = drawn.cursor {
                frame.set_cursor_position(cursor);
            }
        })?;
        Ok(())
    }

    /// The next drawing writes everything, whatever is on the screen.
    pub fn forget(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(ratatui::layout::Rect::from((
            ratatui::layout::Position::ORIGIN,
            size,
        )))
    }

    /// Gives the terminal to the shell until that lets us go on. Where there is no shell that
    /// could, as behind `ssh HOST weir top`, the signal does nothing.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        raise(Signal::SIGTSTP)?;
        self.resume()
    }

    /// Takes it over again: whoever had it meanwhile has left it in another state.
    pub fn resume(&mut self) -> io::Result<()> {
        take()?;
        self.forget()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn take() -> io::Result<()> {
    // Whoever had the terminal while we were stopped has changed its modes, which nothing but
    // setting them anew can tell.
    if TAKEN.load(Ordering::SeqCst) {
        terminal::disable_raw_mode()?;
    }
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)
}

/// Gives the terminal back. Whoever cannot be reached any more needs nothing.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

/// Gives only its modes back: it takes no bytes any more.
pub fn abandon() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = terminal::disable_raw_mode();
    }
}

/// A panic is told on the screen that was there before, in any thread.
fn restore_at_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            tell(info);
        }));
    });
}

/// Reads what is typed by a thread of its own, which ends with the process: there is no way
/// to wake it.
pub fn keys() -> io::Result<mpsc::Receiver<Typed>> {
    let (sender, receiver) = mpsc::channel(64);
    let read = move || {
        // An end is told by the channel's.
        while let Ok(event) = event::read() {
            if let Some(typed) = typed(&event)
                && sender.blocking_send(typed).is_err()
            {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".into()).spawn(read)?;
    Ok(receiver)
}

fn typed(event: &Event) -> Option<Typed> {
    let key = match event {
        Event::Resize(..) => return Some(Typed::Resized),
        Event::Key(key) if key.kind != KeyEventKind::Release => key,
        _ => return None,
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let key = match key.code {
        KeyCode::Char(char) if control => Key::Ctrl(char.to_ascii_lowercase()),
        KeyCode::Char(char) => Key::Char(char),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::F(1) => Key::Help,
        _ => return None,
    };
    Some(Typed::Key(key))
}
