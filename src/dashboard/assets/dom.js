// Building and updating elements. Names come from the network: text enters the
// page through text nodes and attributes only, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes; children are nodes or plain text. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Sets text only where it differs: an unchanged cell costs no layout. */
export function setText(node, text) {
  if (node.firstChild?.data !== text || node.childNodes.length !== 1) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

/**
 * Makes `root`'s children equal to `fresh`, keeping every node that can stay:
 * what is scrolled or selected inside remains so.
 */
export function patchChildren(root, fresh) {
  fresh.forEach((next, i) => {
    const old = root.childNodes[i];
    if (old) patch(old, next);
    else root.append(next);
  });
  while (root.childNodes.length > fresh.length) root.lastChild.remove();
}

function patch(old, next) {
  if (old.nodeName !== next.nodeName) {
    old.replaceWith(next);
  } else if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
  } else {
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of next.attributes) setAttribute(old, name, value);
    patchChildren(old, [...next.childNodes]);
  }
}

/** A symbol of index.html by its name, such as a state's: ok, warn, bad, idle. */
export function icon(state) {
  const use = svg("use", { href: `#icon-${state}` });
  const node = svg("svg", { class: "icon", "aria-hidden": "true" }, use);
  return { node, set: (next) => setAttribute(use, "href", `#icon-${next}`) };
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

const WIDTH = 120;
const HEIGHT = 24;

/** Draws a line once it comes into sight; of hundreds, most are out of it. */
const inSight = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => seen.get(target)?.(isIntersecting)), { rootMargin: "200px" });
const seen = new WeakMap();

/**
 * A small line over time. `update` takes values (null is a gap), a label for those
 * who do not see it, and the least upper end of the scale, so that noise near zero
 * stays near zero.
 */
export function sparkline(kind) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const node = svg(
    "svg",
    { class: `spark spark-${kind}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
    area,
    line,
  );
  let visible = false;
  let wanted = null; // values and scale not drawn yet

  function draw() {
    if (!visible || wanted === null) return;
    const paths = trace(...wanted);
    wanted = null;
    setAttribute(line, "d", paths.line);
    setAttribute(area, "d", paths.area);
  }

  seen.set(node, (now) => {
    visible = now;
    draw();
  });
  inSight.observe(node);
  return {
    node,
    update(values, label, least = 0) {
      setAttribute(node, "aria-label", label);
      wanted = [values ?? [], least];
      draw();
    },
  };
}

function trace(values, least) {
  let top = least;
  for (const value of values) if (value !== null && value > top) top = value;
  const step = values.length > 1 ? WIDTH / (values.length - 1) : 0;
  const tenth = (value) => Math.round(value * 10) / 10;
  const scale = top > 0 ? (HEIGHT - 3) / top : 0;
  const y = (value) => tenth(HEIGHT - 1.5 - Math.max(0, value) * scale);
  let line = "";
  let area = "";
  let start = null;
  values.forEach((value, i) => {
    if (value === null) return;
    const x = tenth(i * step);
    if (start === null) {
      start = x;
      line += `M${x} ${y(value)}`;
      area += `M${x} ${HEIGHT}L${x} ${y(value)}`;
    } else {
      line += `L${x} ${y(value)}`;
      area += `L${x} ${y(value)}`;
    }
    if (i === values.length - 1 || values[i + 1] === null) {
      // A lone point between gaps is still data: a round cap makes it a dot.
      if (start === x) line += "h.01";
      area += `L${x} ${HEIGHT}Z`;
      start = null;
    }
  });
  return { line, area };
}
