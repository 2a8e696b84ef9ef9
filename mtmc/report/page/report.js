"use strict";
(() => {
  document.documentElement.classList.add("js");

  // Hovering over a bar shows its facts and its best picture.
  const box = document.getElementById("tip-box");
  const text = document.createElement("p");
  const picture = document.createElement("span");
  box.append(picture, text);
  for (const bar of document.querySelectorAll("td .bar")) {
    bar.setAttribute("aria-label", bar.title);
    bar.removeAttribute("title");
  }
  const place = (event) => {
    const right = event.clientX + 18 + box.offsetWidth > innerWidth;
    const below = event.clientY + 18 + box.offsetHeight > innerHeight;
    box.style.left = `${right ? event.clientX - box.offsetWidth - 12 : event.clientX + 18}px`;
    box.style.top = `${below ? event.clientY - box.offsetHeight - 12 : event.clientY + 18}px`;
  };
  document.addEventListener("pointerover", (event) => {
    const bar = event.target.closest?.("td .bar");
    box.hidden = !bar;
    if (!bar) return;
    text.textContent = bar.getAttribute("aria-label");
    picture.className = bar.dataset.picture ? `crop ${bar.dataset.picture}` : "";
    place(event);
  });
  document.addEventListener("pointermove", (event) => {
    if (!box.hidden) place(event);
  });

  // Finding, sorting and filtering act on the timeline and on the cards alike.
  const matches = (words, wanted) =>
    wanted.every((term) => {
      if (/^\d+$/.test(term)) return words.includes(`#${term}`) || words.includes(`v${term}`);
      if (/^[#v]\d+$/.test(term)) return words.includes(term);
      return words.some((word) => word.startsWith(term));
    });
  for (const form of document.querySelectorAll(".tools")) {
    const panel = form.closest(".panel");
    const body = panel.querySelector(".timeline tbody");
    const cards = panel.querySelector(".cards");
    const rows = [...body.rows];
    const cardOf = new Map([...cards.children].map((card) => [card.dataset.identity, card]));
    const fixedColumns = panel.querySelector(".timeline thead tr").children.length - panel.querySelectorAll(".axis").length;
    let camera = null;
    const value = (row, key) => Number(row.dataset[key]);
    const entry = (row) => {
      const bar = row.cells[fixedColumns + camera].querySelector(".bar:not(.ghost)");
      return bar ? parseFloat(bar.style.getPropertyValue("--l")) : Infinity;
    };
    const order = {
      start: (a, b) => value(a, "start") - value(b, "start"),
      identity: (a, b) => value(a, "identity") - value(b, "identity"),
      cameras: (a, b) => value(b, "cameras") - value(a, "cameras"),
      boxes: (a, b) => value(b, "boxes") - value(a, "boxes"),
      wrong: (a, b) => value(b, "wrong") - value(a, "wrong"),
    };
    const update = () => {
      const wanted = form.elements.find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const minCameras = Number(form.elements.min_cameras.value) || 1;
      const only = form.elements.only?.checked;
      const by = camera === null ? order[form.elements.sort.value] : (a, b) => (entry(a) === entry(b) ? 0 : entry(a) - entry(b));
      rows.sort((a, b) => by(a, b) || value(a, "start") - value(b, "start") || value(a, "identity") - value(b, "identity"));
      let shown = 0;
      for (const row of rows) {
        const hit =
          value(row, "cameras") >= minCameras && !(only && value(row, "wrong") === 0) && matches(row.dataset.words.split(" "), wanted);
        row.hidden = !hit;
        shown += hit;
        const card = cardOf.get(row.dataset.identity);
        card.hidden = !hit;
        cards.append(card);
      }
      body.append(...rows);
      form.querySelector("output").textContent = `${shown} of ${rows.length} shown`;
      for (const head of panel.querySelectorAll(".axis")) {
        const chosen = head.querySelector("button").dataset.camera === String(camera);
        if (chosen) head.setAttribute("aria-sort", "ascending");
        else head.removeAttribute("aria-sort");
      }
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      if (event.target.name === "sort") camera = null;
      update();
    });
    for (const button of panel.querySelectorAll(".axis button")) {
      button.addEventListener("click", () => {
        const clicked = Number(button.dataset.camera);
        camera = camera === clicked ? null : clicked;
        update();
      });
    }
    form.querySelector("output").textContent = `${rows.length} shown`;
  }

  // The links at the top lead into the extractor that is open.
  for (const link of document.querySelectorAll("nav a")) {
    const part = link.getAttribute("href").match(/^#(errors|timeline|identities)0$/)?.[1];
    if (!part) continue;
    link.addEventListener("click", () => {
      const open = [...document.querySelectorAll("input[name=extractor]")].findIndex((input) => input.checked);
      link.setAttribute("href", `#${part}${Math.max(open, 0)}`);
    });
  }
})();
