// Corrections of one identity: split off, merge, not a vehicle; by keys, by buttons, by dragging.
import { answer, api, element, onKey, onState, player, say, undo } from "/static/page.js";

const list = document.getElementById("passages");
const number = Number(list.dataset.identity);
const live = "live" in list.dataset;
const items = [...list.querySelectorAll(".passage")];
const box = (item) => item.querySelector("input[type=checkbox]");
const chosen = () => items.filter((item) => box(item).checked).map((item) => item.dataset.key);
const rest = (keys) => items.map((item) => item.dataset.key).filter((key) => !keys.includes(key));
const buttons = Object.fromEntries([...document.querySelectorAll("[data-act]")].map((b) => [b.dataset.act, b]));
const note = document.getElementById("chosen");
const keysOf = async (other) => (await api(`/api/identities/${other}`)).passages.map((p) => p.key);
let answered = null;
let dropping = false; // two answers, not to be parted by a new page

function show() {
  const count = chosen().length;
  for (const item of items) item.classList.toggle("chosen", box(item).checked);
  buttons["not-a-vehicle"].disabled = count === 0;
  buttons.split.disabled = count === 0 || count === items.length;
  note.textContent = count ? `${count} of ${items.length} chosen` : "Choose tracks, or drag one onto a candidate.";
}

async function give(kind, first, second) {
  try {
    const { entry } = await answer(kind, first, second);
    answered = entry.seq;
    sessionStorage.setItem("mtmc-last", entry.seq);
    say(live ? "Answered; the site takes it with its next tick …" : "Answered; solving again …", { label: "Undo", action: takeBack });
    return true;
  } catch (error) {
    say(error.message, { bad: true });
    if (error.status === 409) answered = -1;
    return false;
  }
}

async function takeBack() {
  const last = Number(answered || sessionStorage.getItem("mtmc-last"));
  if (!(last > 0)) return say("nothing to undo");
  try {
    const { entry } = await undo(last);
    answered = entry.seq;
    sessionStorage.removeItem("mtmc-last");
    say(live ? "Taken back; the site does so with its next tick …" : "Taken back; solving again …");
  } catch (error) {
    say(error.message, { bad: true });
  }
}

const acts = {
  split: () => chosen().length && chosen().length < items.length && give("different", rest(chosen()), chosen()), // the first keep the number
  "not-a-vehicle": () => chosen().length && give("not-a-vehicle", chosen()),
  merge: async () => {
    const other = (prompt("The same vehicle as identity number") || "").replace("#", "");
    if (!/^\d+$/.test(other) || Number(other) === number) return;
    try {
      await give("same", items.map((i) => i.dataset.key), await keysOf(other));
    } catch (error) {
      say(error.message, { bad: true });
    }
  },
};
for (const [name, button] of Object.entries(buttons)) button.addEventListener("click", acts[name]);
list.addEventListener("change", show);
show();

// The page shows the new state as soon as it is there, with what else changed.
onState((state) => {
  if (answered === null || dropping || state.solving || (answered > 0 && state.solved < answered)) return;
  const refused = state.refused?.[answered];
  if (refused) {
    answered = null;
    sessionStorage.removeItem("mtmc-last");
    return say(`Refused: ${refused}`, { bad: true });
  }
  const { changes } = state;
  const others = new Set(changes.flatMap((c) => [c.before, c.after])).size;
  const tracks = `${changes.length} ${live ? "" : "more "}track${changes.length === 1 ? "" : "s"} changed`;
  const none = live ? "Taken; the next solve of these tracks is bound by it" : "Nothing else changed";
  sessionStorage.setItem("mtmc-told", changes.length ? `${tracks}, in ${others} identities` : none);
  // Where all tracks have gone to another identity, there is no page of this one any more.
  const to = items.map((item) => changes.find((c) => c.passage === item.dataset.key)?.after);
  if (to[0] > 0 && to.every((after) => after === to[0])) location.href = `/identity/${to[0]}`;
  else location.reload();
});
const told = sessionStorage.getItem("mtmc-told");
if (told) {
  sessionStorage.removeItem("mtmc-told");
  say(told, sessionStorage.getItem("mtmc-last") ? { label: "Undo", action: takeBack } : {});
}

// Clips.
function play(item) {
  const button = item.querySelector("[data-clip]");
  const open = item.querySelector("video");
  if (open) return open.remove();
  if (!button) return;
  const video = player(button.dataset.clip);
  video.addEventListener("error", () => {
    video.remove();
    fetch(button.dataset.clip).then(async (a) => say((await a.json()).error || "no clip", { bad: true })).catch(() => {});
  });
  item.append(video);
}
list.addEventListener("click", (event) => event.target.closest("[data-clip]") && play(event.target.closest(".passage")));

// Dragging a track onto a candidate: it leaves this identity for that one.
list.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", event.target.closest(".passage").dataset.key));
for (const card of document.querySelectorAll(".candidate")) {
  const other = card.dataset.identity;
  for (const name of ["dragover", "dragleave", "drop"]) {
    card.addEventListener(name, async (event) => {
      event.preventDefault();
      card.classList.toggle("over", name === "dragover");
      if (name !== "drop") return;
      const key = event.dataTransfer.getData("text/plain");
      if (!items.some((item) => item.dataset.key === key)) return;
      // Out of this identity first: else the other one would come along into it.
      dropping = true;
      if (items.length === 1 || (await give("different", rest([key]), [key]))) await give("same", await keysOf(other), [key]);
      dropping = false;
    });
  }
  card.querySelector("[data-same]").addEventListener("click", async () => give("same", items.map((i) => i.dataset.key), await keysOf(other)));
  card.querySelector("[data-different]").addEventListener("click", async () => give("different", items.map((i) => i.dataset.key), await keysOf(other)));
}

// Keys.
const move = (step) => {
  const at = items.indexOf(document.activeElement.closest(".passage"));
  items[Math.min(Math.max(at + step, 0), items.length - 1)]?.focus();
};
const current = () => document.activeElement.closest?.(".passage");
onKey("j", () => move(1));
onKey("k", () => move(-1));
onKey("x", () => {
  const item = current();
  if (!item) return move(1);
  box(item).checked = !box(item).checked;
  show();
});
onKey("s", acts.split);
onKey("v", acts["not-a-vehicle"]);
onKey("m", acts.merge);
onKey("u", takeBack);
onKey("Enter", () => current() && play(current()));
