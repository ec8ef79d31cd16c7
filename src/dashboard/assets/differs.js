// Which of the servers beside one another differs: it is slower, or fails more, clearly
// enough that it is no chance. Numbers in, words out.

import * as format from "./format.js";

/** Requests without which a server is not judged, and none is compared with it. */
const REQUESTS_MIN = 20;

/** Its p95 is so many times the others' … */
const SLOWER = 2;
/** … and so many milliseconds more. */
const SLOWER_MS = 20;

/** The share of its failures is so many times the others' … */
const FAILS = 3;
/** … and so much more, of 1 … */
const FAILS_SHARE = 0.01;
/** … and there are so many. */
const FAILED_MIN = 5;

/**
 * For each of `servers`, of the breakdown, what is different of it in words, or null. It is
 * compared with the median of the others of its backend.
 */
export function differences(servers) {
  return servers.map((server) => {
    const others = servers.filter((each) => each !== server && each.backend === server.backend && judged(each));
    if (!judged(server) || others.length === 0) return null;
    const words = [];
    const usual = median(others.map(({ p95 }) => p95).filter(Number.isFinite));
    if (usual !== null && server.p95 >= SLOWER * usual && server.p95 >= usual + SLOWER_MS) {
      words.push(`slower: p95 ${format.duration(server.p95)}, others ${format.duration(usual)}`);
    }
    const share = server.failed / server.requests;
    const fails = median(others.map(({ failed, requests }) => failed / requests));
    if (server.failed >= FAILED_MIN && share >= FAILS * fails && share >= fails + FAILS_SHARE) {
      words.push(`fails more: ${format.ratio(share)}, others ${format.ratio(fails)}`);
    }
    return words.join("; ") || null;
  });
}

/** What is summed up as others, and what has no name, is no server. */
const judged = ({ server, requests }) => server && server !== "other" && !server.startsWith("<") && requests >= REQUESTS_MIN;

function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
