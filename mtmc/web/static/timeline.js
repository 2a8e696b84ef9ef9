// All vehicles on one canvas: a row each, a bar for each track. Only what is in view is drawn.
import { onKey, onState, say } from "/static/page.js";

const canvas = document.getElementById("timeline");
const context = canvas.getContext("2d");
const cameras = JSON.parse(document.getElementById("cameras").textContent);
const cameraSelect = document.getElementById("camera");
const minInput = document.getElementById("min");
const tip = document.getElementById("tip-box");
const ROW = 16;
const AXIS = 26;
const LEFT = 64;

let data = null; // columns of passages, sorted by identity
let rows = []; // per shown identity: [first passage, after the last]
let view = { from: 0, to: 1, top: 0 };
let whole = { from: 0, to: 1 };
let asked = false;

const hue = (k) => `hsl(${(k * 137.508) % 360} 58% ${matchMedia("(prefers-color-scheme: dark)").matches ? 58 : 42}%)`;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const daily = JSON.parse(document.getElementById("clock").textContent); // times of the day
const clock = (seconds) => {
  const s = daily ? ((seconds % 86400) + 86400) % 86400 : Math.abs(seconds);
  if (daily) return [s / 3600, (s % 3600) / 60, s % 60].map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
  const whole = `${Math.floor(s / 3600) ? `${Math.floor(s / 3600)}:` : ""}${String(Math.floor((s % 3600) / 60)).padStart(s >= 3600 ? 2 : 1, "0")}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  return (seconds < 0 ? "−" : "") + whole;
};

async function load() {
  const buffer = await (await fetch("/api/timeline")).arrayBuffer();
  const n = new DataView(buffer).getUint32(0, true);
  let at = 4;
  const column = (type) => {
    const bytes = n * type.BYTES_PER_ELEMENT;
    const values = new type(buffer.slice(at, at + bytes));
    at += bytes;
    return values;
  };
  data = { n, start: column(Float32Array), end: column(Float32Array), identity: column(Int32Array), row: column(Int32Array), camera: column(Uint16Array) };
  filter();
}

function filter() {
  const only = cameraSelect.value === "" ? -1 : Number(cameraSelect.value);
  const min = Number(minInput.value) || 1;
  rows = [];
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < data.n; ) {
    let j = i;
    const seen = new Set();
    while (j < data.n && data.identity[j] === data.identity[i]) seen.add(data.camera[j++]);
    if (seen.size >= min && (only < 0 || seen.has(only))) {
      rows.push([i, j]);
      for (let k = i; k < j; k++) {
        low = Math.min(low, data.start[k]);
        high = Math.max(high, data.end[k]);
      }
    }
    i = j;
  }
  const margin = Math.max((high - low) * 0.01, 0.5);
  whole = rows.length ? { from: low - margin, to: high + margin } : { from: 0, to: 1 };
  view = { ...whole, top: 0 };
  document.getElementById("count").textContent = `${rows.length.toLocaleString("en")} vehicles`;
  document.getElementById("legend").replaceChildren(
    ...cameras.slice(0, 12).map((name, k) => {
      const item = document.createElement("span");
      const mark = document.createElement("i");
      mark.className = "dot";
      mark.style.setProperty("--c", hue(k));
      item.append(mark, name);
      return item;
    }),
  );
  draw();
}

const x = (seconds, width) => LEFT + ((seconds - view.from) / (view.to - view.from)) * (width - LEFT);
const secondsAt = (px) => view.from + ((px - LEFT) / (canvas.clientWidth - LEFT)) * (view.to - view.from);
const rowAt = (py) => Math.floor((py - AXIS + view.top) / ROW);

function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(paint);
}

function paint() {
  asked = false;
  if (!data) return;
  const began = performance.now();
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  view.top = Math.max(0, Math.min(view.top, rows.length * ROW - (height - AXIS) + ROW));
  context.font = "12px system-ui, sans-serif";
  // Time.
  const span = view.to - view.from;
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400].find((s) => (s / span) * (width - LEFT) > 80) || 86400;
  context.fillStyle = css("--dim");
  context.strokeStyle = css("--line");
  context.beginPath();
  for (let t = Math.ceil(view.from / step) * step; t < view.to; t += step) {
    const px = Math.round(x(t, width)) + 0.5;
    context.moveTo(px, AXIS);
    context.lineTo(px, height);
    context.fillText(clock(t), px - 12, 17);
  }
  context.stroke();
  // Vehicles in view.
  const first = Math.max(0, Math.floor(view.top / ROW));
  const last = Math.min(rows.length, Math.ceil((view.top + height - AXIS) / ROW));
  context.save();
  context.beginPath();
  context.rect(0, AXIS, width, height - AXIS);
  context.clip();
  let bars = 0;
  for (let r = first; r < last; r++) {
    const y = AXIS + r * ROW - view.top;
    const [i, j] = rows[r];
    context.fillStyle = css("--dim");
    context.fillText(`#${data.identity[i]}`, 8, y + 12);
    for (let k = i; k < j; k++) {
      if (data.end[k] < view.from || data.start[k] > view.to) continue;
      const a = Math.max(x(data.start[k], width), LEFT);
      context.fillStyle = hue(data.camera[k]);
      context.fillRect(a, y + 3, Math.max(x(data.end[k], width) - a, 2), ROW - 6);
      bars++;
    }
  }
  context.restore();
  context.strokeStyle = css("--line");
  context.strokeRect(LEFT - 0.5, AXIS - 0.5, width, height);
  canvas.dataset.bars = bars;
  canvas.dataset.rows = rows.length;
  canvas.dataset.milliseconds = (performance.now() - began).toFixed(1);
}

function zoom(factor, centre = (view.from + view.to) / 2) {
  const span = Math.min(Math.max((view.to - view.from) * factor, 0.5), (whole.to - whole.from) * 1.2);
  const share = (centre - view.from) / (view.to - view.from);
  view.from = centre - share * span;
  view.to = view.from + span;
  draw();
}
const pan = (share) => {
  const by = (view.to - view.from) * share;
  view.from += by;
  view.to += by;
  draw();
};
const all = () => {
  view = { ...whole, top: view.top };
  draw();
};

function hit(event) {
  const place = canvas.getBoundingClientRect();
  const px = event.clientX - place.left;
  const py = event.clientY - place.top;
  const r = rowAt(py);
  if (!data || py < AXIS || r < 0 || r >= rows.length) return null;
  const t = secondsAt(px);
  const slack = ((view.to - view.from) / canvas.clientWidth) * 3;
  const [i, j] = rows[r];
  for (let k = i; k < j; k++) if (t >= data.start[k] - slack && t <= data.end[k] + slack) return { k, identity: data.identity[i] };
  return px < LEFT ? { k: -1, identity: data.identity[i] } : null;
}

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, top: view.top, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (drag) {
    const dx = event.clientX - drag.x;
    const dy = event.clientY - drag.y;
    drag.moved ||= Math.abs(dx) + Math.abs(dy) > 4;
    const by = (-dx / (canvas.clientWidth - LEFT)) * (drag.to - drag.from);
    view.from = drag.from + by;
    view.to = drag.to + by;
    view.top = drag.top - dy;
    tip.hidden = true;
    return draw();
  }
  const found = hit(event);
  tip.hidden = !found || found.k < 0;
  if (tip.hidden) return;
  const { k } = found;
  const picture = document.createElement("img");
  picture.src = `/api/passages/${data.row[k]}/crops/0.jpg`;
  picture.alt = "";
  picture.style.maxHeight = "90px";
  const text = document.createElement("p");
  text.textContent = `#${found.identity} · ${cameras[data.camera[k]]} · ${clock(data.start[k])} to ${clock(data.end[k])}`;
  tip.replaceChildren(picture, text);
  tip.style.left = `${Math.min(event.clientX + 16, innerWidth - 260)}px`;
  tip.style.top = `${Math.min(event.clientY + 16, innerHeight - 150)}px`;
});
canvas.addEventListener("pointerleave", () => (tip.hidden = true));
canvas.addEventListener("pointerup", (event) => {
  const clicked = drag && !drag.moved;
  drag = null;
  const found = clicked && hit(event);
  if (found) location.href = `/identity/${found.identity}`;
});
canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(event.deltaY / 400), secondsAt(event.offsetX));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / canvas.clientWidth);
    else {
      view.top += event.deltaY;
      draw();
    }
  },
  { passive: false },
);
for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => ({ in: () => zoom(0.6), out: () => zoom(1 / 0.6), all })[button.dataset.zoom]());
}
onKey("+", () => zoom(0.6));
onKey("-", () => zoom(1 / 0.6));
onKey("0", all);
onKey("ArrowLeft", () => pan(-0.2));
onKey("ArrowRight", () => pan(0.2));
for (const [key, by] of [["ArrowUp", -0.5], ["ArrowDown", 0.5], ["PageUp", -1], ["PageDown", 1]]) {
  onKey(key, () => {
    view.top += by * canvas.clientHeight;
    draw();
  });
}
cameraSelect.addEventListener("change", filter);
minInput.addEventListener("input", filter);
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
let version = null;
onState((state) => {
  if (version !== null && state.version !== version) load();
  version = state.version;
});
load().catch((error) => say(error.message, { bad: true }));
