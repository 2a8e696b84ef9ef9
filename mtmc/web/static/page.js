// What all pages share: requests, the author's name, the state of the server, messages, keys.

export async function api(path, options = {}) {
  const { body, method = body === undefined ? "GET" : "POST", raw } = options;
  const headers = { "x-requested-by": "page" };
  if (body !== undefined && !raw) headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: raw ? body : body === undefined ? undefined : JSON.stringify(body) });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const detail = Array.isArray(content.detail) ? content.detail.map((d) => d.msg).join("; ") : content.detail;
    throw Object.assign(new Error(content.error || detail || `the server answers ${answer.status}`), { status: answer.status });
  }
  return content;
}

export const author = {
  get: () => localStorage.getItem("mtmc-author") || "",
  set: (name) => localStorage.setItem("mtmc-author", name),
};

let seq = Number(document.body.dataset.seq);
export const seen = () => seq;
export const setSeen = (value) => (seq = Math.max(seq, value));

const toast = document.getElementById("toast");
let fading;
export function say(text, { bad = false, action, label } = {}) {
  toast.textContent = text;
  toast.className = bad ? "bad" : "";
  if (action) {
    const button = document.createElement("button");
    button.textContent = label;
    button.addEventListener("click", () => {
      toast.hidden = true;
      action();
    });
    toast.append(button);
  }
  toast.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => (toast.hidden = true), bad || action ? 9000 : 4000);
}

// Gives an answer; what has been seen goes along, so that nobody overrides what they have not seen.
export async function answer(kind, first, second = []) {
  const found = await api("/api/answers", { body: { kind, first, second, author: author.get(), after: seq } });
  setSeen(found.entry.seq);
  return found;
}

export async function undo(number) {
  const found = await api(`/api/answers/${number}/undo`, { body: { author: author.get() } });
  setSeen(found.entry.seq);
  return found;
}

// The server tells when something has changed, here or in another browser.
const listeners = [];
export const onState = (listener) => listeners.push(listener);
const line = document.getElementById("state");
export const source = new EventSource(`/api/events${document.body.dataset.page === "live" ? "?live=true" : ""}`);
source.addEventListener("state", (event) => {
  const state = JSON.parse(event.data);
  line.classList.toggle("busy", state.solving);
  const count = `${state.identities.toLocaleString("en")} identities`;
  const waiting = state.waiting ? `${state.waiting} not taken yet · ` : "";
  line.textContent = state.problem ? `not solved: ${state.problem}` : state.solving ? `solving … ${count}` : waiting + count;
  for (const listener of listeners) listener(state);
});
source.addEventListener("error", () => {
  line.classList.remove("busy");
  line.textContent = "the server does not answer";
});
addEventListener("pagehide", () => source.close());
addEventListener("pageshow", (event) => event.persisted && location.reload());

// Keys: a page adds its own with onKey(key, what to do).
const keys = new Map();
export const onKey = (key, act) => keys.set(key, act);
let going = false;
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  if (going) {
    going = false;
    const link = document.querySelector(`.bar-top nav a[data-key="${CSS.escape(event.key)}"]`);
    if (link) location.href = link.href;
    return;
  }
  if (event.key === "g") going = true;
  else if (event.key === "?") document.getElementById("help").showModal();
  else if (event.key === "/") {
    event.preventDefault();
    const number = prompt("Identity");
    if (/^#?\d+$/.test(number || "")) location.href = `/identity/${number.replace("#", "")}`;
  } else if (keys.has(event.key)) {
    // A button that has the focus is pressed by Enter, not the page.
    if (event.key === "Enter" && event.target.closest("button, a")) return;
    event.preventDefault();
    keys.get(event.key)(event);
  }
});
for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => select.form.submit());
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function player(address) {
  return element("video", { src: address, controls: true, autoplay: true, muted: true, loop: true, playsinline: true });
}
