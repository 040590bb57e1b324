// Sorts all tables that ask for it, and filters those that are long; all is there to read without it.
"use strict";
// On a phone every row is a card, in which each cell says what its column says at its head.
for (const table of document.querySelectorAll("table")) {
  const heads = [...(table.tHead?.rows[0].cells ?? [])].map((head) => head.textContent.trim());
  if (!heads.length) continue;
  for (const row of table.tBodies[0].rows) {
    [...row.cells].forEach((cell, at) => { cell.dataset.label = heads[at] ?? ""; });
  }
  table.classList.add("cards");
}
const FEW = 5; // Rows that nobody needs a filter for.
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  const worth = (row, at) => {
    const cell = row.cells[at];
    const value = cell.dataset.value ?? cell.textContent.trim();
    return value === "" || Number.isNaN(Number(value)) ? value : Number(value);
  };
  const order = (a, b, up) => {
    // What is not known comes last, whichever way and whatever the column is made of.
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    const ordered = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return up ? ordered : -ordered;
  };
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [worth(row, at), row]);
      rows.sort((a, b) => order(a[0], b[0], up));
      body.append(...rows.map(([, row]) => row));
    });
  });
  if (body.rows.length <= FEW) continue;
  const line = document.createElement("div");
  const label = document.createElement("label");
  const field = document.createElement("input");
  const told = document.createElement("span");
  const said = table.dataset.filter ?? "Filter rows";
  field.type = "search";
  // Read aloud by itself, a field says of which table it is.
  field.setAttribute("aria-label", `${said}: ${table.caption.textContent.trim()}`);
  told.setAttribute("role", "status");
  line.className = "filter";
  label.append(said, " ", field);
  line.append(label, told);
  table.parentElement.before(line);
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    told.textContent = field.value ? `${shown} of ${body.rows.length}` : "";
  });
}
// A link into folded text unfolds it.
const unfold = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const folded = target && target.closest("details");
  if (folded && !folded.open) {
    folded.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", unfold);
unfold();
