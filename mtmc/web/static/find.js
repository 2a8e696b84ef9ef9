// A picture that is dropped, pasted or chosen becomes a search.
import { api, say } from "/static/page.js";

const drop = document.getElementById("drop");
const form = document.getElementById("filters");

async function search(file) {
  if (!file || !file.type.startsWith("image/")) return say("no picture in there", { bad: true });
  say("looking …");
  try {
    const { query } = await api("/api/pictures", { body: file, raw: true });
    const asked = new URLSearchParams(new FormData(form));
    asked.delete("like");
    asked.set("query", query);
    for (const [name, value] of [...asked]) if (!value) asked.delete(name);
    location.search = asked;
  } catch (error) {
    say(error.message, { bad: true });
  }
}

document.getElementById("file")?.addEventListener("change", (event) => search(event.target.files[0]));
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((f) => f.type.startsWith("image/"));
  if (file) search(file);
});
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") search(event.dataTransfer.files[0]);
  });
}
// Empty filters stay out of the address.
form.addEventListener("submit", () => {
  for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
});
