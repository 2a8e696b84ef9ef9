// Undo, and reading corrected files back: first what they would say, then, if wanted, the answers.
import { api, author, element, onState, say, undo } from "/static/page.js";

let waiting = null;
for (const button of document.querySelectorAll("[data-undo]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      waiting = (await undo(button.dataset.undo)).entry.seq;
      location.reload();
    } catch (error) {
      say(error.message, { bad: true });
      button.disabled = false;
    }
  });
}

const file = document.getElementById("file"); // there is none on a live site
const panel = document.getElementById("import");
file?.addEventListener("change", async () => {
  const [given] = file.files;
  file.value = "";
  if (!given) return;
  const ask = (apply) => api(`/api/import?${new URLSearchParams({ name: given.name, author: author.get(), apply })}`, { body: given, raw: true });
  try {
    const found = await ask(false);
    const counts = Object.entries(found.answers).map(([kind, count]) => `${count} × ${kind}`);
    panel.hidden = false;
    if (!counts.length) return panel.replaceChildren(`${given.name} says what is here already.`);
    const go = element("button", { class: "primary" }, "Take them");
    go.addEventListener("click", async () => {
      go.disabled = true;
      try {
        const { applied, refused } = await ask(true);
        say(`${applied} answers taken${refused.length ? `, ${refused.length} refused: ${refused[0].reason}` : ""}`, { bad: refused.length > 0 });
        setTimeout(() => location.reload(), refused.length ? 5000 : 800);
      } catch (error) {
        say(error.message, { bad: true });
      }
    });
    panel.replaceChildren(`${given.name} implies ${counts.join(", ")}. `, go);
  } catch (error) {
    say(error.message, { bad: true });
  }
});
// A live site says later what became of an answer.
let version = null;
onState((state) => {
  if (version !== null && state.waiting !== undefined && state.solved !== version) location.reload();
  version = state.solved;
});
