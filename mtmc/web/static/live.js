// What the cameras see now: their newest pictures with boxes, events as they come, and the state of the streams.
import { element, onKey, source, svg } from "/static/page.js";

const tiles = document.getElementById("tiles");
const said = document.getElementById("said");
const hold = document.getElementById("hold");
const kinds = document.getElementById("kinds");
const KEPT = 200;
let events = [];
let held = false;

const figureOf = (camera) => {
  const known = tiles.querySelector(`[data-camera="${CSS.escape(camera)}"]`);
  if (known) return known;
  const made = element("figure", { class: "tile", "data-camera": camera }, element("div", { class: "frame" }), element("figcaption", {}, element("b", {}, camera), element("span", { class: "health dim" })));
  tiles.append(made);
  return made;
};

function drawn(tile) {
  const size = tile.height / 18;
  const boxes = tile.boxes.map(({ track, box: [x, y, width, height], identity, css }) => {
    const colour = css || "#bbb";
    const text = identity === null ? `${track}` : `#${identity}`;
    const label = svg("text", { x: x + size * 0.2, y: Math.max(y - size * 0.25, size * 0.85), "font-size": size });
    label.textContent = text;
    const patch = svg("rect", { class: "patch", x, y: Math.max(y - size * 1.1, 0), width: text.length * size * 0.62 + size * 0.4, height: size * 1.1, style: `fill:${colour}` });
    const parts = [svg("rect", { x, y, width, height, stroke: colour, class: identity === null ? "unnamed" : "" }), patch, label];
    return identity === null ? svg("g", {}, ...parts) : svg("a", { href: `/identity/${identity}`, "aria-label": `identity ${identity}` }, ...parts);
  });
  return svg("svg", { viewBox: `0 0 ${tile.width} ${tile.height}`, "data-boxes": boxes.length, role: "img", "aria-label": `${tile.camera}: ${boxes.length} vehicles` }, ...boxes);
}

source.addEventListener("tile", (event) => {
  const tile = JSON.parse(event.data);
  const figure = figureOf(tile.camera);
  const picture = new Image();
  picture.alt = "";
  picture.src = tile.picture;
  // Boxes and their picture change together.
  picture.decode().then(() => {
    figure.querySelector(".frame").replaceChildren(picture, drawn(tile));
    figure.querySelector(".frame").style.aspectRatio = `${tile.width} / ${tile.height}`;
    figure.dataset.frame = tile.frame;
    document.getElementById("no-pictures").hidden = true;
  }, () => {}); // replaced by a newer one meanwhile
});

source.addEventListener("health", (event) => {
  const health = JSON.parse(event.data);
  document.getElementById("running").textContent = health.running ? "running" : health.age === null ? "not running" : `not running: no news for ${health.age.toFixed(0)} s`;
  const problem = document.getElementById("problem");
  problem.hidden = !health.problem;
  problem.textContent = health.problem;
  document.getElementById("no-pictures").hidden = health.pictures;
  for (const camera of health.cameras) {
    const figure = figureOf(camera.camera);
    const state = !health.running ? "stopped" : camera.state || "heard";
    figure.dataset.state = state;
    const facts = [
      state,
      // A stream that has ended or waits has no rate.
      !["running", "heard"].includes(state) || camera.rate === null || camera.rate === undefined ? null : `${camera.rate.toFixed(1)} frames/s`,
      camera.dropped ? `${camera.dropped.toLocaleString("en")} dropped` : null,
      camera.restarts ? `${camera.restarts} restarts` : null,
      camera.age !== null && camera.age > 3 ? `${camera.age.toFixed(0)} s ago` : camera.heard,
      camera.detail || null,
    ];
    figure.querySelector(".health").textContent = facts.filter(Boolean).join(" · ");
  }
});

const WORDS = { opened: "appears", assigned: "is", revised: "is now", merged: "is the same as", split: "is split from", closed: "has left", final: "remains" };
function row(event) {
  const number = (n) => element("a", { href: `/identity/${n}` }, `#${n}`);
  const dot = element("i", { class: "dot", style: `--c:${event.css || "#999"}` });
  const what = event.camera ? `${event.camera}, track ${event.track} ` : "";
  const words = [what, WORDS[event.kind] || event.kind, " "];
  const who =
    event.kind === "merged" ? [number(event.identity), ` ${WORDS.merged} #${event.other}`] : event.kind === "split" ? [number(event.identity), ` ${WORDS.split} `, number(event.other)] : [...words, event.identity !== null ? number(event.identity) : event.kind === "revised" ? "no vehicle" : ""];
  return element("li", { "data-kind": event.kind, "data-seq": event.seq, title: event.reason || "" }, element("time", {}, event.when), dot, element("span", {}, ...who, event.reason ? element("small", { class: "dim" }, ` ${event.reason}`) : ""));
}

function show() {
  const wanted = new Set([...kinds.querySelectorAll("input:checked")].map((box) => box.value));
  said.replaceChildren(...events.filter((e) => wanted.has(e.kind)).slice(-KEPT).reverse().map(row));
}

source.addEventListener("said", (event) => {
  // After a lost connection the server begins again with what is known already.
  const last = events.length ? events.at(-1).seq : 0;
  events = [...events, ...JSON.parse(event.data).filter((e) => e.seq > last)].slice(-2 * KEPT);
  if (!held) show();
});

function pause() {
  held = !held;
  hold.textContent = held ? "Go on" : "Hold";
  hold.setAttribute("aria-pressed", held);
  if (!held) show();
}
hold.addEventListener("click", pause);
kinds.addEventListener("change", show);

function enlarge(place) {
  const figures = [...tiles.children];
  const chosen = figures[place - 1];
  if (place && !chosen) return;
  for (const figure of figures) figure.classList.toggle("large", figure === chosen && !figure.classList.contains("large"));
}
tiles.addEventListener("click", (event) => {
  const figure = event.target.closest(".tile");
  if (figure && !event.target.closest("a")) enlarge([...tiles.children].indexOf(figure) + 1);
});
for (let place = 0; place <= 9; place++) onKey(String(place), () => enlarge(place));
onKey("p", pause);
