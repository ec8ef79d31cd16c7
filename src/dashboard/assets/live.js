// The live stream: server-sent events in, handlers called. Reconnects by itself
// for as long as the page is open; `state` says whether the numbers can be believed.

const SILENCE_MS = 5_000; // the server speaks once a second
const DELAY_MS = [500, 1_000, 2_000, 4_000];

/**
 * `handlers`: `services(body)`, `pipeline(body)`, `series()`, and
 * `state("live" | "lost")` whenever that changes.
 */
export function connect(handlers) {
  let source = null;
  let state = null;
  let heard = Date.now();
  let tries = 0;
  let retry = null;

  const become = (next) => {
    if (state === next) return;
    state = next;
    handlers.state(next);
  };

  const on = (name, deliver) => {
    source.addEventListener(name, (event) => {
      heard = Date.now();
      tries = 0;
      become("live");
      deliver(event);
    });
  };

  const open = () => {
    clearTimeout(retry);
    source?.close();
    heard = Date.now();
    source = new EventSource("api/v1/live");
    on("services", (event) => handlers.services(JSON.parse(event.data)));
    on("pipeline", (event) => handlers.pipeline(JSON.parse(event.data)));
    on("series", () => handlers.series());
    source.addEventListener("error", again);
  };

  // The browser's own retry gives up for good on some answers (a proxy's 502
  // while weir restarts), so every retry is ours.
  const again = () => {
    source.close();
    become("lost");
    clearTimeout(retry);
    retry = setTimeout(open, DELAY_MS[Math.min(tries, DELAY_MS.length - 1)]);
    tries += 1;
  };

  // A connection can die without a word (a laptop that slept, a lost route).
  setInterval(() => {
    if (source.readyState !== EventSource.CLOSED && Date.now() - heard > SILENCE_MS) again();
  }, 1_000);

  open();
}
