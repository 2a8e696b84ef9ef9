// The queue of doubts: one question at a time, answered by keys.
import { answer, api, author, element, onKey, onState, player, say, seen, setSeen, svg, undo } from "/static/page.js";

const place = document.getElementById("queue");
const changed = document.getElementById("changed");
const name = document.getElementById("author");
name.value = author.get();
name.addEventListener("input", () => author.set(name.value));

let queue = [];
let at = 0;
let last = null;
let waiting = null; // the answer whose consequences are awaited
let busy = false;

async function load() {
  const found = await api("/api/doubts?limit=40");
  setSeen(found.seq);
  queue = found.doubts;
  at = 0;
  if (queue.length) show();
  else place.replaceChildren(element("p", { class: "dim" }, found.ready ? "No doubts are left that an answer would settle." : "The association is being solved, to find out where it is unsure …"));
}

function half(passage) {
  const pictures = passage.crops.map((address) => element("img", { src: address, alt: `${passage.camera}, track ${passage.track}` }));
  const made = element(
    "div",
    { class: "half" },
    element("h3", {}, passage.camera, " ", element("small", {}, `track ${passage.track}`)),
    element("div", { class: "strip" }, ...(pictures.length ? pictures : [element("span", { class: "crop none" }, "no picture")])),
    element("p", { class: "dim" }, `${passage.when} · ${passage.boxes} boxes${passage.class ? ` · ${passage.class}` : ""}${passage.colour ? ` · ${passage.colour}` : ""}`),
    element("p", {}, passage.identity === null ? "no identity" : element("a", { href: `/identity/${passage.identity}` }, `#${passage.identity}`)),
  );
  made.dataset.clip = passage.clip || "";
  return made;
}

function curve(doubt) {
  const { edges, weights } = doubt.curve;
  const picture = svg("svg", { viewBox: "0 0 220 74", role: "img", "aria-label": "travel time against the expected ones" });
  if (!weights.length) return element("p", { class: "dim" }, "no link between these cameras");
  const low = Math.min(edges[0], doubt.travel);
  const high = Math.max(edges.at(-1), doubt.travel);
  const x = (seconds) => (220 * (seconds - low)) / Math.max(high - low, 1e-6);
  const top = Math.max(...weights);
  weights.forEach((w, k) => {
    if (w > 0) picture.append(svg("rect", { x: x(edges[k]), width: Math.max(x(edges[k + 1]) - x(edges[k]) - 0.5, 0.8), y: 54 - (50 * w) / top, height: (50 * w) / top }));
  });
  const label = (text, where, anchor) => {
    const made = svg("text", { x: where, y: 68, "text-anchor": anchor });
    made.textContent = text;
    return made;
  };
  picture.append(svg("line", { x1: 0, x2: 220, y1: 54.5, y2: 54.5 }), svg("line", { class: "now", x1: x(doubt.travel), x2: x(doubt.travel), y1: 0, y2: 58 }), label(`${low.toFixed(0)} s`, 0, "start"), label(`${high.toFixed(0)} s`, 220, "end"));
  return picture;
}

function show() {
  const doubt = queue[at];
  if (!doubt) return load();
  const choice = (kind, text, key) => {
    const button = element("button", { class: kind, "data-kind": kind }, text, " ", element("kbd", {}, key));
    button.addEventListener("click", () => give(kind));
    return button;
  };
  const next = element("button", { "data-kind": "next" }, "Next ", element("kbd", {}, "n"));
  next.addEventListener("click", () => step(1));
  const facts = [
    `one vehicle with probability ${(100 * doubt.probability).toFixed(1)} %`,
    doubt.likeness === null ? null : `likeness ${doubt.likeness.toFixed(2)}`,
    `the answer moves about ${Math.max(1, Math.round(doubt.expected))} boxes`,
  ];
  place.replaceChildren(
    element(
      "article",
      { class: "doubt", "data-first": doubt.first.key, "data-second": doubt.second.key },
      element("header", {}, element("h2", {}, "Is this one vehicle?"), element("span", { class: "badge" }, doubt.joined ? "joined now" : "apart now"), element("span", { class: "dim" }, facts.filter(Boolean).join(" · ")), element("span", { class: "dim" }, `${at + 1} of ${queue.length}`)),
      element("div", { class: "sides" }, half(doubt.first), element("div", { class: "between" }, element("b", {}, doubt.travel < 0 ? `${(-doubt.travel).toFixed(1)} s at once` : `${doubt.travel.toFixed(1)} s`), element("span", { class: "dim" }, "from the last box to the first"), curve(doubt)), half(doubt.second)),
      element("div", { class: "choices" }, choice("same", "Same", "s"), choice("different", "Different", "d"), choice("unsure", "Unsure", "u"), next),
    ),
  );
}

function step(by) {
  at = Math.max(at + by, 0);
  if (at >= queue.length) load();
  else show();
}

async function give(kind) {
  const doubt = queue[at];
  if (!doubt || busy) return;
  busy = true;
  try {
    const { entry } = await answer(kind, [doubt.first.key], [doubt.second.key]);
    last = entry.seq;
    waiting = kind === "unsure" ? waiting : entry.seq;
    queue.splice(at, 1);
    say({ same: "Same", different: "Different", unsure: "Unsure" }[kind], { label: "Undo", action: takeBack });
    if (at >= queue.length) at = 0;
    if (queue.length) show();
    else load();
  } catch (error) {
    say(error.message, { bad: true });
    if (error.status === 409) load();
  } finally {
    busy = false;
  }
}

async function takeBack() {
  if (last === null) return say("nothing to undo");
  try {
    const { entry } = await undo(last);
    last = null;
    waiting = entry.seq;
    say("Taken back");
    load();
  } catch (error) {
    say(error.message, { bad: true });
  }
}

// A new solution brings new doubts; the question on the screen stays where it is.
let version = null;
onState(async (state) => {
  if (waiting !== null && !state.solving && state.solved >= waiting) {
    waiting = null;
    const link = (n) => (n < 0 ? "no identity" : element("a", { href: `/identity/${n}` }, `#${n}`));
    const rows = state.changes.slice(0, 30).map((c) => element("li", {}, `${c.passage}: `, link(c.before), " → ", link(c.after)));
    if (state.changes.length > 30) rows.push(element("li", { class: "dim" }, `and ${state.changes.length - 30} more`));
    if (!rows.length) rows.push(element("li", { class: "dim" }, "nothing: the answer settled only what it names"));
    changed.hidden = false;
    changed.querySelector("ul").replaceChildren(...rows);
  }
  if (!state.solving && state.version !== version) {
    version = state.version;
    const found = await api("/api/doubts?limit=40");
    if (found.seq < seen()) return; // answered meanwhile; the solution with that answer is to come
    setSeen(found.seq);
    const now = queue[at];
    queue = found.doubts;
    const same = now ? queue.findIndex((d) => d.first.key === now.first.key && d.second.key === now.second.key) : -1;
    if (same >= 0) {
      queue.unshift(...queue.splice(same, 1));
      at = 0;
    } else at = 0;
    if (queue.length) show();
    else load();
  }
});

for (const [keys, act] of [
  ["s1", () => give("same")],
  ["d2", () => give("different")],
  ["u3", () => give("unsure")],
  ["n", () => step(1)],
  ["p", () => step(-1)],
  ["z", takeBack],
]) for (const key of keys) onKey(key, act);
onKey("ArrowRight", () => step(1));
onKey("ArrowLeft", () => step(-1));
onKey("Enter", () => {
  for (const side of place.querySelectorAll(".half")) {
    const open = side.querySelector("video");
    if (open) open.remove();
    else if (side.dataset.clip) side.append(player(side.dataset.clip));
  }
});
load().catch((error) => say(error.message, { bad: true }));
