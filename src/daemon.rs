//! A running weir: what is started in which order, and stopped in which.
//!
//! Starting binds everything first, so that a port that is taken is known before a
//! line is read. Stopping begins at the inputs and follows the lines out: listeners,
//! workers, windows, sinks, and the HTTP server last, because a sink may deliver to it.

use crate::breakdown::Hosts;
use crate::checkpoint::{self, Journal, Keeper};
use crate::clock;
use crate::config::{Config, Listen, Protocol, TlsFiles};
use crate::http::{self, Access, Mode, Status};
use crate::input::accept::{self, Door};
use crate::input::batch::{Dispatcher, Pass};
use crate::input::connections::{Bounds, Connections};
use crate::input::{relp, tcp, udp};
use crate::load::{Files, Loaded};
use crate::pipeline::{Pipeline, Plan, lost_if_killed};
use crate::rejects::{self, RotatingFile, Samples, Takers};
use crate::reload::{self, Account, Reloader, Reloading};
use crate::sink::prometheus::Latest;
use crate::sink::spool::Spool;
use crate::sink::{self, Outbox};
use crate::store::{self, Store};
use crate::supervisor::Supervisor;
use crate::telemetry::{RejectsFile, Telemetry};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Measurements that may wait for one sink: at 1,000 a second, a minute and a half.
const OUTBOX_MAX: usize = 100_000;

/// How long everything may take together when weir stops: the last lines, the last checkpoint,
/// and what sinks deliver meanwhile and after it.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// How long requests under way may take then.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// After so long containers are killed.
const KILLED_AFTER: Duration = Duration::from_secs(10);
const _: () = assert!(STOP_WITHIN.as_secs() + ANSWER_WITHIN.as_secs() < KILLED_AFTER.as_secs());

/// How often the store is told the time, to forget what is older than it keeps.
const STORE_TICK: Duration = Duration::from_secs(60);

/// Why weir could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {protocol} {address}")]
    Bind {
        protocol: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error(transparent)]
    Store(#[from] store::OpenError),
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::OpenError),
    #[error("cannot write rejected lines to {path}")]
    Rejects { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Sink(String),
    #[error("cannot wait for SIGHUP")]
    Signal { source: io::Error },
}

impl StartError {
    /// What to do about it, where the error does not say so itself.
    pub fn hint(&self) -> Option<&'static str> {
        let source = match self {
            StartError::Bind { source, .. } => source,
            StartError::Rejects { .. } => {
                return Some(
                    "`rejects:` in weir.yaml names a file in a folder that is there and that \
                     weir may write",
                );
            }
            StartError::Store(_)
            | StartError::Checkpoint(_)
            | StartError::Sink(_)
            | StartError::Signal { .. } => return None,
        };
        Some(match source.kind() {
            io::ErrorKind::AddrInUse => {
                "another program has this port, perhaps another weir: stop it, or choose \
                 another port (`listen:` and `http:` in weir.yaml, --listen of `weir librato`, \
                 --http of `weir demo`)"
            }
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need the right CAP_NET_BIND_SERVICE: choose a higher port, \
                 or grant it"
            }
            io::ErrorKind::AddrNotAvailable => {
                "the address is not one of this machine's: 0.0.0.0 stands for all of them"
            }
            _ => "check the address",
        })
    }
}

/// All sockets bound, nothing read yet.
pub struct Bound {
    pub config: Config,
    /// Where the page will be.
    pub http: SocketAddr,
    http_socket: TcpListener,
    sockets: Vec<Socket>,
}

/// A syslog socket.
struct Socket {
    wanted: Listen,
    /// Differs from the wanted one where that had port 0.
    address: SocketAddr,
    kind: SocketKind,
}

enum SocketKind {
    /// With the size of the receive buffer that the kernel granted, in bytes.
    Udp(UdpSocket, usize),
    /// Of senders that connect.
    Stream(TcpListener),
}

/// What listeners have in common.
struct Inputs<'a> {
    frame_max: usize,
    connections: Arc<Connections>,
    loaded: watch::Receiver<Arc<Loaded>>,
    dispatcher: &'a Dispatcher,
    keeper: Keeper,
    telemetry: &'a Arc<Telemetry>,
    supervisor: &'a Supervisor,
}

impl Bound {
    /// Binds every address that the configuration names.
    ///
    /// # Errors
    ///
    /// For the first address that cannot be bound.
    pub async fn bind(config: Config) -> Result<Bound, StartError> {
        let wanted = config.http.address;
        let (http_socket, http) = http::bind(wanted)
            .await
            .and_then(|socket| socket.local_addr().map(|address| (socket, address)))
            .map_err(|source| bind_error("http", wanted, source))?;
        let sockets = config.listen.iter().map(|listen| {
            Socket::bind(listen.clone())
                .map_err(|source| bind_error(listen.protocol.as_str(), listen.address, source))
        });
        let sockets = sockets.collect::<Result<_, _>>()?;
        Ok(Bound {
            config,
            http,
            http_socket,
            sockets,
        })
    }

    /// Where syslog will be taken, in the order of the configuration.
    pub fn listeners(&self) -> Vec<(Protocol, SocketAddr)> {
        let sockets = self.sockets.iter();
        sockets
            .map(|socket| (socket.wanted.protocol, socket.address))
            .collect()
    }
}

fn bind_error(protocol: &'static str, address: SocketAddr, source: io::Error) -> StartError {
    StartError::Bind {
        protocol,
        address,
        source,
    }
}

impl Socket {
    fn bind(wanted: Listen) -> io::Result<Socket> {
        let (kind, address) = match wanted.protocol {
            Protocol::Udp => {
                let (socket, receive_buffer) = udp::bind(wanted.address)?;
                let address = socket.local_addr()?;
                (SocketKind::Udp(socket, receive_buffer), address)
            }
            Protocol::Tcp | Protocol::Tls | Protocol::Relp => {
                let socket = accept::bind(wanted.address)?;
                let address = socket.local_addr()?;
                (SocketKind::Stream(socket), address)
            }
        };
        Ok(Socket {
            wanted,
            address,
            kind,
        })
    }

    fn start(self, inputs: &Inputs<'_>) -> JoinHandle<()> {
        let Inputs {
            frame_max,
            supervisor,
            ..
        } = *inputs;
        let (protocol, address) = (self.wanted.protocol.as_str(), self.address);
        let listener = inputs.telemetry.listener(protocol, address.to_string());
        let (dispatcher, stop) = (inputs.dispatcher.clone(), supervisor.stopping().clone());
        let socket = match self.kind {
            SocketKind::Udp(socket, receive_buffer) => {
                tracing::info!(protocol, %address, receive_buffer, "listening");
                return supervisor.spawn(
                    "udp listener",
                    udp::run(
                        socket,
                        frame_max,
                        self.wanted.allow,
                        listener,
                        dispatcher,
                        stop,
                    ),
                );
            }
            SocketKind::Stream(socket) => socket,
        };
        tracing::info!(protocol, %address, "listening");
        let door = Door {
            connections: Arc::clone(&inputs.connections),
            allow: self.wanted.allow,
            tls: self.wanted.tls.map(|files| inputs.terms(files)),
            listener: Arc::clone(&listener),
        };
        if self.wanted.protocol == Protocol::Relp {
            let receiver = relp::Receiver {
                line_max: frame_max,
                keeper: inputs.keeper.clone(),
                dispatcher,
                listener,
                telemetry: Arc::clone(inputs.telemetry),
            };
            return supervisor.spawn(
                "relp listener",
                accept::run(socket, door, stop, move |connection| {
                    relp::serve(connection, receiver.clone())
                }),
            );
        }
        let lines = tcp::Lines {
            frame_max,
            listener,
            dispatcher,
        };
        supervisor.spawn(
            "tcp listener",
            accept::run(socket, door, stop, move |connection| {
                tcp::serve(connection, lines.clone())
            }),
        )
    }
}

impl Inputs<'_> {
    /// What TLS goes by at the moment, as the files of a listener say.
    fn terms(&self, files: TlsFiles) -> accept::Terms {
        let loaded = self.loaded.clone();
        let first = loaded.borrow().tls.get(&files).cloned();
        let first = first.expect("a set is compiled with the certificates that `listen` names");
        Arc::new(move || {
            let loaded = loaded.borrow();
            Arc::clone(loaded.tls.get(&files).unwrap_or(&first))
        })
    }
}

/// A running weir.
pub struct Daemon {
    supervisor: Supervisor,
    stop_http: CancellationToken,
    inputs: Vec<JoinHandle<()>>,
    /// The workers run as long as there is a dispatcher, be there listeners or not.
    pipeline: Option<(Pipeline, Dispatcher)>,
    /// Where a new set is published, and told of.
    loaded: Option<(watch::Sender<Arc<Loaded>>, Arc<Account>)>,
    rejects: Option<(JoinHandle<()>, Arc<RejectsFile>)>,
    outboxes: Vec<Arc<Outbox>>,
    sinks: Vec<JoinHandle<()>>,
    server: JoinHandle<()>,
    store: Store,
}

impl Daemon {
    /// Starts everything the configuration names. `loaded` is `None` for the
    /// receiver alone, which computes nothing.
    ///
    /// # Errors
    ///
    /// When the store or the file of rejected lines cannot be opened, or a sink cannot be
    /// prepared.
    pub async fn start(
        bound: Bound,
        loaded: Option<Loaded>,
        mode: Mode,
    ) -> Result<Daemon, StartError> {
        let Bound {
            config,
            http,
            http_socket,
            sockets,
        } = bound;
        let started = clock::now();
        let telemetry = Arc::new(Telemetry::new(started));
        let store = Store::open_anyway(&config.state, config.store_options())?;
        note_trouble(&store.trouble().borrow(), &telemetry);
        // The receiver alone has no windows to keep.
        let kept = loaded.as_ref();
        let kept = kept.map(|_| Keeper::open(&config.state, started));
        let kept = kept.transpose()?;
        // The receiver alone rejects no lines.
        let rejects_file = config.rejects.as_deref().filter(|_| loaded.is_some());
        let rejects_file = rejects_file.map(open_rejects).transpose()?;

        let latest = Arc::new(Latest::default());
        let samples = Arc::new(Samples::default());
        let hosts = Arc::new(Hosts::default());
        let loaded = loaded.map(|loaded| {
            let account = Arc::new(Account::new(&loaded, started));
            (watch::Sender::new(Arc::new(loaded)), account)
        });
        let status = Arc::new(Status {
            mode,
            telemetry: Arc::clone(&telemetry),
            samples: Arc::clone(&samples),
            hosts: Arc::clone(&hosts),
            latest: Arc::clone(&latest),
            rules: loaded.as_ref().map(|(_, account)| Arc::clone(account)),
            store: store.clone(),
        });
        let stop_http = CancellationToken::new();
        let access = Access {
            token: config.http.token.clone(),
            names: config.http.names.clone(),
        };
        let router = http::router(&status, access, &stop_http);
        tracing::info!(protocol = "http", address = %http, "listening");
        if config.http.token.is_none() && !http.ip().is_loopback() {
            tracing::warn!(
                address = %http,
                "anyone who reaches this address can read and write: set a token (http.token_env in \
                 weir.yaml, --token-env of weir librato)"
            );
        }
        let supervisor = Supervisor::default();
        let serving = serve(http_socket, router, stop_http.clone(), status);
        let server = supervisor.spawn("HTTP server", serving);

        let (outboxes, sinks) = start_sinks(&config, &store, &telemetry, &supervisor)?;
        let stopping = supervisor.stopping().clone();
        let keeping = keep_store(store.clone(), Arc::clone(&telemetry), stopping);
        let mut inputs = vec![supervisor.spawn("store's upkeep", keeping)];
        let (outlet, rejects) = rejects_file
            .map(|file| start_rejects(file, &telemetry, &supervisor))
            .unzip();
        let pipeline = if let Some(((loaded, _), (keeper, restored))) = loaded.as_ref().zip(kept) {
            if let Some(why) = restored.broken {
                tracing::error!(%why, "cannot keep checkpoints; retrying");
                telemetry.broken("checkpoint", Some(lost_if_killed(&why)));
            }
            let plan = Plan {
                loaded: loaded.subscribe(),
                timezone: config.haproxy.timezone.clone(),
                time: config.time,
                limits: config.limits,
                workers: workers(),
                outboxes: outboxes.clone(),
                latest: config.sinks.prometheus.then_some(latest),
                rejects: Takers { samples, outlet },
                keeper: keeper.clone(),
                checkpoint: restored.checkpoint,
                store: store.clone(),
                hosts,
            };
            let (pipeline, dispatcher, catching_up) =
                Pipeline::start(plan, &telemetry, &supervisor);
            let pass = &catching_up.pass;
            receive_again(restored.journal, &config, &dispatcher, pass, &telemetry).await;
            drop(catching_up);
            let listening = Inputs {
                frame_max: config.limits.line_bytes,
                connections: Connections::new(Bounds {
                    all: config.limits.connections,
                    per_address: config.limits.connections_per_address,
                    idle: config.limits.idle,
                }),
                loaded: loaded.subscribe(),
                dispatcher: &dispatcher,
                keeper,
                telemetry: &telemetry,
                supervisor: &supervisor,
            };
            inputs.extend(sockets.into_iter().map(|socket| socket.start(&listening)));
            Some((pipeline, dispatcher))
        } else {
            None
        };
        Ok(Daemon {
            supervisor,
            stop_http,
            inputs,
            pipeline,
            loaded,
            rejects,
            outboxes,
            sinks,
            server,
            store,
        })
    }

    /// Reads `weir.yaml`, and what it names, again when `hangups` says so and when something
    /// there changes. `files` and `config` are what this daemon was started with; without a
    /// `path` there was no file.
    pub fn reload_from(
        &self,
        path: Option<PathBuf>,
        files: &Files,
        config: Config,
        hangups: Signal,
    ) {
        let Some((loaded, account)) = &self.loaded else {
            return;
        };
        let stop = self.supervisor.stopping().clone();
        let Some(path) = path else {
            let answering = reload::nothing_to_reload(hangups, stop);
            self.supervisor.spawn("answer to SIGHUP", answering);
            return;
        };
        let (loaded, account) = (loaded.clone(), Arc::clone(account));
        let reloader = Reloader::new(path, files, config, loaded, account);
        let reloading = Reloading::new(reloader, hangups, self.store.clone()).run(stop);
        self.supervisor.spawn("reloading", reloading);
    }

    /// Runs a task that feeds an input from within, until weir stops.
    pub fn feed(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.supervisor.stopping().clone();
        self.supervisor.spawn(name, async move {
            let _ = stopping.run_until_cancelled_owned(task).await;
        });
    }

    /// Waits until a part has ended by itself, which none should.
    pub async fn failed(&self) {
        self.supervisor.failed().await;
    }

    /// Stops in the order of the flow; returns when everything is delivered, or given
    /// up and counted.
    pub async fn stop(self) {
        tracing::info!("stopping: no more input, delivering what is here");
        let deadline = Instant::now() + STOP_WITHIN;
        self.supervisor.stop();
        let run_through = async {
            join(self.inputs).await;
            if let Some((pipeline, dispatcher)) = self.pipeline {
                drop(dispatcher);
                pipeline.finish().await;
            }
        };
        if tokio::time::timeout_at(deadline, run_through)
            .await
            .is_err()
        {
            tracing::error!(
                "stopped before everything was counted and the last checkpoint was kept: what \
                 was acknowledged over RELP since the one before is counted after the next start"
            );
        }
        // The pipeline has closed them when the last window was in them.
        self.outboxes.iter().for_each(|outbox| outbox.close());
        for (sink, outbox) in self.sinks.into_iter().zip(&self.outboxes) {
            end_by(deadline, sink).await;
            outbox.abandon();
        }
        // With the workers its outlets went: it ends when it has written what they sent.
        if let Some((writer, file)) = self.rejects {
            end_by(deadline, writer).await;
            let lines = file.abandon();
            if lines > 0 {
                tracing::error!(path = file.path, lines, "rejected lines are in no file");
            }
        }
        self.stop_http.cancel();
        end_by(Instant::now() + ANSWER_WITHIN, self.server).await;
        drop(self.store);
        tracing::info!("stopped");
    }
}

/// One worker per processor: they share nothing, so more would only take turns.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Lines that the last run acknowledged, and that no checkpoint of its has.
async fn receive_again(
    journal: Journal,
    config: &Config,
    dispatcher: &Dispatcher,
    pass: &Pass,
    telemetry: &Telemetry,
) {
    let mut journal = journal.peekable();
    if journal.peek().is_none() {
        return;
    }
    let listener = telemetry.listener(Protocol::Relp.as_str(), "journal".to_owned());
    let lines = relp::replay(
        journal,
        config.limits.line_bytes,
        dispatcher,
        pass,
        &listener,
    )
    .await;
    tracing::info!(
        lines,
        "weir was killed: what it had acknowledged since its last checkpoint is counted now"
    );
}

type Sinks = (Vec<Arc<Outbox>>, Vec<JoinHandle<()>>);

fn start_sinks(
    config: &Config,
    store: &Store,
    telemetry: &Arc<Telemetry>,
    supervisor: &Supervisor,
) -> Result<Sinks, StartError> {
    let (mut outboxes, mut tasks) = (Vec::new(), Vec::new());
    let mut outbox = |name, target: String| {
        tracing::info!(sink = name, target, "delivering");
        let outbox = Arc::new(Outbox::new(OUTBOX_MAX, telemetry.sink(name, target)));
        outboxes.push(Arc::clone(&outbox));
        outbox
    };
    if config.sinks.store {
        let outbox = outbox("store", store.stats().path.display().to_string());
        let store = store.clone();
        tasks.push(supervisor.spawn(
            "sink",
            async move { sink::store::run(&outbox, store).await },
        ));
    }
    if let Some(settings) = &config.sinks.librato {
        let librato = sink::librato::Librato::new(settings.clone()).map_err(StartError::Sink)?;
        let outbox = outbox("librato", librato.target());
        let sink = Arc::clone(outbox.sink());
        let spool = Spool::open(&config.state, settings.spool, sink, Arc::clone(telemetry));
        tasks.push(supervisor.spawn("sink", async move { librato.run(&outbox, &spool).await }));
    }
    if config.sinks.stdout {
        let outbox = outbox("stdout", "standard output".to_owned());
        tasks.push(supervisor.spawn("sink", async move {
            sink::stdout::run(&outbox, tokio::io::stdout()).await
        }));
    }
    Ok((outboxes, tasks))
}

fn open_rejects(path: &Path) -> Result<RotatingFile, StartError> {
    RotatingFile::open(path.to_owned(), rejects::FILE_BYTES, rejects::FILES).map_err(|source| {
        StartError::Rejects {
            path: path.to_owned(),
            source,
        }
    })
}

fn start_rejects(
    file: RotatingFile,
    telemetry: &Telemetry,
    supervisor: &Supervisor,
) -> (rejects::Outlet, (JoinHandle<()>, Arc<RejectsFile>)) {
    let path = file.path().display().to_string();
    tracing::info!(path, "writing rejected lines");
    let counters = telemetry.rejects_file(path);
    let (outlet, writer) = rejects::Writer::new(file, Arc::clone(&counters));
    let task = supervisor.spawn("writer of rejected lines", writer.run());
    (outlet, (task, counters))
}

/// `status` lives as long as the server: its reports end with it.
async fn serve(
    socket: TcpListener,
    router: axum::Router,
    stop: CancellationToken,
    status: Arc<Status>,
) {
    http::serve(socket, router, Arc::clone(&status.telemetry.http), stop).await;
    drop(status);
}

/// Tells the store the time, and what it has to tell.
async fn keep_store(store: Store, telemetry: Arc<Telemetry>, stop: CancellationToken) {
    let mut every = tokio::time::interval(STORE_TICK);
    let mut trouble = store.trouble();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => store_tick(&store).await,
            Ok(()) = trouble.changed() => note_trouble(&trouble.borrow_and_update(), &telemetry),
        }
    }
}

fn note_trouble(trouble: &Option<String>, telemetry: &Telemetry) {
    let news = telemetry.broken("store", trouble.clone());
    match trouble {
        Some(why) if news => tracing::error!(%why, "the store cannot keep what it is given"),
        None if news => tracing::info!("the store keeps what it is given again"),
        _ => {}
    }
}

async fn store_tick(store: &Store) {
    if let Err(error) = store.tick(clock::now()).await {
        tracing::error!(%error, "the store cannot forget what is old");
    }
}

async fn join(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        if let Err(error) = task.await {
            tracing::error!(%error, "a task failed");
        }
    }
}

/// Waits for a task until then, and ends it if it has not ended.
async fn end_by(deadline: Instant, mut task: JoinHandle<()>) {
    if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
        task.abort();
        // It has ended when this returns: what it counts does not change any more.
        let _ = task.await;
    }
}
