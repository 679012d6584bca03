"use strict";
// The page works without this: it adds sorting, filters, CSV files, and links that open what they name.
const all = (query, root = document) => [...root.querySelectorAll(query)];
const make = (tag, words, attributes = {}) => {
  const made = document.createElement(tag);
  made.textContent = words;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};
// The state is in the address: #anchor?sort=3:2d&find=3:conv (table 3 by its second column, falling).
let anchor = "";
const state = { sort: new Map(), find: new Map() };

function write() {
  const parts = [];
  for (const [key, held] of Object.entries(state))
    for (const [id, value] of held) parts.push(`${key}=${id}:${encodeURIComponent(value)}`);
  history.replaceState(null, "", `#${anchor}${parts.length ? `?${parts.join("&")}` : ""}`);
}

const values = (cell) => (cell.dataset.v ? cell.dataset.v.split(" ").map(Number) : []);

function sortBy(table, column, down) {
  const body = table.tBodies[0];
  const key = (row) => {
    const number = values(row.cells[column])[0];
    return [number === undefined ? NaN : number, row.cells[column].textContent.trim()];
  };
  const rows = [...body.rows].map((row) => [row, ...key(row)]);
  const numeric = rows.some(([, number]) => !Number.isNaN(number));
  rows.sort(([, x, a], [, y, b]) => {
    if (!numeric) return a.localeCompare(b, "en", { numeric: true }) * (down ? -1 : 1);
    // What has no number stays at the end.
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return (x - y) * (down ? -1 : 1);
  });
  for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
  table.tHead.rows[0].cells[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows.map(([row]) => row));
}

function filterBy(table, words) {
  const terms = words.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    const fits = terms.every((term) => {
      const limit = /^>(\d*\.?\d+)$/.exec(term);
      return limit ? [...row.cells].some((cell) => values(cell)[0] > Number(limit[1])) : text.includes(term);
    });
    row.hidden = !fits;
    shown += fits;
  }
  return shown;
}

function csv(table) {
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
  const rows = [...table.tBodies[0].rows].map((row) => [...row.cells]);
  const wide = heads.map((_, column) => Math.max(1, ...rows.map((row) => values(row[column]).length)));
  // A text that a spreadsheet would take for a formula is marked as text.
  const quote = (text) => `"${(/^[=+@\t\r-]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  const lines = [heads.flatMap((head, c) => (wide[c] < 3 ? [head] : [head, `${head} lower`, `${head} upper`])).map(quote)];
  for (const row of rows)
    lines.push(row.flatMap((cell, c) => {
      const held = cell.dataset.v ? cell.dataset.v.split(" ") : [quote(cell.textContent.trim())];
      return [...held, ...Array(Math.max(0, (wide[c] < 3 ? 1 : 3) - held.length)).fill("")];
    }));
  return lines.map((line) => line.join(",")).join("\r\n");
}

const sorters = new Map();
const filters = new Map();
all("table.sortable").forEach((table, position) => {
  const id = String(position + 1);
  const box = table.closest(".scroll");
  const tools = make("div", "", { class: "tools" });
  const rows = table.tBodies[0].rows.length;
  if (rows >= 3) {
    const sort = (column, down) => sortBy(table, column, down);
    sorters.set(id, sort);
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = make("button", "", { type: "button", title: "Sort by this column" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        // Of numbers the largest come first.
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : head.classList.contains("num");
        sort(column, down);
        state.sort.set(id, `${column + 1}${down ? "d" : "a"}`);
        write();
      });
    });
  }
  if (rows >= 8) {
    const input = make("input", "", { type: "search", placeholder: "Filter: conv, >0.1", "aria-label": "Filter the rows of this table: words, or >0.1 for rows with a larger number" });
    const count = make("span", "", { role: "status" });
    const filter = (words) => {
      input.value = words;
      const shown = filterBy(table, words);
      count.textContent = words ? `${shown} of ${rows} rows` : "";
    };
    filters.set(id, filter);
    input.addEventListener("input", () => {
      filter(input.value);
      if (input.value) state.find.set(id, input.value);
      else state.find.delete(id);
      write();
    });
    tools.append(input, count);
  }
  const save = make("button", "CSV", { type: "button", title: "Save this table as a CSV file" });
  save.addEventListener("click", () => {
    const link = make("a", "");
    link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv;charset=utf-8" }));
    link.download = `${table.caption.textContent.trim().replace(/[^\w]+/g, "-").slice(0, 60)}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  tools.append(save);
  box.before(tools);
});

// What is wider than the page says so.
const boxes = all(".scroll, .wide, .graph-box, .blocks figure");
function cue() {
  for (const box of boxes) box.classList.toggle("is-cut", box.scrollWidth > box.clientWidth + 1);
}

function open(id, focus) {
  const target = id ? document.getElementById(id) : null;
  for (const part of all("[data-opens]")) part.classList.toggle("is-open", part.dataset.opens === id);
  if (!target) return;
  if (target.matches("details.panel"))
    for (const other of all("details.panel[open]", target.parentElement)) other.open = other === target;
  for (let part = target; part; part = part.parentElement) if (part.matches("details")) part.open = true;
  target.scrollIntoView({ block: target.matches("details.panel") ? "nearest" : "start" });
  if (focus) {
    const place = target.matches("details") ? target.querySelector("summary") : target;
    if (place === target) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  }
  cue();
}

function read() {
  const [id, query = ""] = location.hash.slice(1).split("?");
  anchor = decodeURIComponent(id);
  for (const part of query.split("&")) {
    const [, key, table, value] = /^(sort|find)=(\d+):(.*)$/.exec(part) || [];
    if (key === "sort" && sorters.has(table) && /^\d+[ad]$/.test(value)) {
      state.sort.set(table, value);
      sorters.get(table)(parseInt(value, 10) - 1, value.endsWith("d"));
    } else if (key === "find" && filters.has(table)) {
      state.find.set(table, decodeURIComponent(value));
      filters.get(table)(decodeURIComponent(value));
    }
  }
  open(anchor, false);
}

function go(id) {
  anchor = id;
  write();
  open(id, true);
}

document.addEventListener("click", (event) => {
  const part = event.target.closest("[data-opens], a[href^='#']");
  if (!part || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  go(part.dataset.opens || decodeURIComponent(part.getAttribute("href").slice(1)));
});
for (const panel of all("details.panel"))
  panel.addEventListener("toggle", () => {
    if (panel.open === (anchor === panel.id)) return;
    anchor = panel.open ? panel.id : "";
    write();
    for (const part of all("[data-opens]")) part.classList.toggle("is-open", part.dataset.opens === anchor);
    if (panel.open) open(panel.id, false);
  });
for (const details of all("details")) details.addEventListener("toggle", cue);
addEventListener("resize", cue);
addEventListener("hashchange", read);
read();
cue();
