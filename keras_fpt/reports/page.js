// What the report does beyond showing: sorted tables and values of curves.
"use strict";

// A number at the beginning of a cell, as in `82.00 ± 12.71`, `>300`,
// `RMSE 2.5`, `0.001 (highest tried)` or `1.20 to 3.40`.
const NUMBER = /^(RMSE )?(>)?([-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?)/i;
const words = new Intl.Collator("en", { numeric: true });

/** The keys by which a column's texts are sorted; `null` where missing. */
function keysOf(texts, isText) {
  const found = texts.map((text) => NUMBER.exec(text));
  const isNumber = (text, i) =>
    text === "" || (found[i] && (!isText || found[i][0] === text));
  if (!texts.every(isNumber)) return texts.map((text) => text || null);
  return found.map((match) =>
    match && [
      match[1] ? 1 : 0,
      Number(match[3].replaceAll(",", "")),
      match[2] ? 1 : 0,
    ]);
}

function compare(a, b) {
  if (!Array.isArray(a)) return words.compare(a, b);
  const i = a.findIndex((value, place) => value !== b[place]);
  return i < 0 ? 0 : a[i] - b[i];
}

/** Sorts a table by a column; rows without a value there come last. */
function sortBy(table, head) {
  const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.tHead.rows[0].cells) {
    other.setAttribute("aria-sort", "none");
  }
  head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const texts = rows.map((row) =>
    row.cells[head.cellIndex].textContent.trim());
  const keys = keysOf(texts, head.classList.contains("text"));
  const order = rows.map((row, i) => i).sort((i, j) => {
    if (keys[i] === null || keys[j] === null) {
      return (keys[i] === null) - (keys[j] === null);
    }
    return sign * compare(keys[i], keys[j]);
  });
  body.append(...order.map((i) => rows[i]));
}

for (const table of document.querySelectorAll("table")) {
  if (table.tBodies[0].rows.length < 2) continue;
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head));
    head.append(button);
    head.setAttribute("aria-sort", "none");
  }
}

// Values of curves, beside the pointer or, with the arrow keys, beside their
// points. Without this script, the points have titles.
const tip = document.createElement("div");
tip.id = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
document.body.append(tip);
const REACH = 40; // From the pointer to a point, in units of a picture.

function hide() {
  tip.hidden = true;
  document.querySelectorAll(".value.shown").forEach((circle) =>
    circle.classList.remove("shown"));
}

/** Shows the values at a point, and of other curves that have its x. */
function show(points, near) {
  hide();
  const chosen = points.filter((point) => point.head === near.head);
  chosen.forEach((point) => point.circle.classList.add("shown"));
  tip.textContent = [near.head, ...chosen.map((p) => p.text)].join("\n");
  tip.hidden = false;
  const box = near.circle.getBoundingClientRect();
  const page = document.documentElement;
  const room = page.clientWidth - tip.offsetWidth - 4;
  const left = Math.max(4, Math.min(box.right + 10, room));
  const above = box.top - tip.offsetHeight - 10;
  const top = above < 0 ? box.bottom + 10 : above;
  tip.style.left = `${left + page.scrollLeft}px`;
  tip.style.top = `${top + page.scrollTop}px`;
}

for (const svg of document.querySelectorAll(".pictures svg")) {
  const points = [...svg.querySelectorAll(".value")].map((circle) => {
    const title = circle.querySelector("title");
    const [head, ...lines] = title.textContent.split("\n");
    const text = lines.join(" ");
    title.remove(); // The browser would show it as well.
    const [x, y] = [circle.cx.baseVal.value, circle.cy.baseVal.value];
    return { circle, head, text, x, y };
  });
  if (!points.length) continue;
  let current = -1;
  const showNearest = (event) => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(svg.getScreenCTM().inverse());
    const distances = points.map((p) => Math.hypot(p.x - x, p.y - y));
    const least = Math.min(...distances);
    if (least > REACH) return hide();
    current = distances.indexOf(least);
    show(points, points[current]);
  };
  svg.addEventListener("pointermove", showNearest);
  svg.addEventListener("pointerdown", showNearest);
  svg.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") hide();
  });
  svg.tabIndex = 0;
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    current = Math.max(0, Math.min(points.length - 1, current + step));
    show(points, points[current]);
  });
}
document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".pictures svg")) hide();
});
