// Which hosts sent the lines: the envelope's names, counted by the server. Asked for while
// somebody looks at the pipeline.

const EVERY_MS = 5_000;

/** `changed()` is called when there is news. Returns `look()`, the newest answer or null. */
export function hostsOf(changed) {
  let answer = null;
  let askedAt = -Infinity;
  let busy = false;

  async function load() {
    busy = true;
    askedAt = performance.now();
    try {
      const response = await fetch("api/v1/hosts", { headers: { accept: "application/json" } });
      if (!response.ok) return;
      answer = await response.json();
      changed();
    } catch {
      // The next look tries again; that weir does not answer is told elsewhere.
    } finally {
      busy = false;
    }
  }

  return {
    look() {
      if (!busy && performance.now() - askedAt >= EVERY_MS) load();
      return answer;
    },
  };
}
