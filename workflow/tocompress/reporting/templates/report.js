"use strict";

const STEP = 100; // rows that are added at a time
const SCALES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"]];
const THREE = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en");
const ORDER = new Intl.Collator("en", { numeric: true });

function plain(value) {
  return Number.isInteger(value) ? WHOLE.format(value) : THREE.format(value);
}

function quantity(value, unit) {
  if (unit === "fraction") return `${(100 * value).toFixed(1)} %`;
  if (unit === "score") return value.toFixed(1);
  if (unit === "ms") [value, unit] = [value / 1e3, "s"];
  const [size, prefix] = SCALES.find(([scale]) => Math.abs(value) >= scale) ?? [1, ""];
  const symbol = { byte: "B", 1: "" }[unit] ?? unit;
  return `${value === 0 ? "0" : THREE.format(value / size)} ${prefix}${symbol}`.trimEnd();
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** The text of a column's cell in a row; empty for none. */
function shown(column, row) {
  const cell = column.cells[row];
  if (column.kind === "words") return column.words[cell] ?? "";
  if (cell === null) return "";
  const bounded = column.low?.[row] !== undefined && column.low[row] !== null && column.high[row] !== null;
  const show = column.unit
    ? (value) => quantity(value, column.unit.words[column.unit.cells[row]] ?? "")
    : column.low ? (value) => value.toFixed(3) : plain;
  return show(cell) + (bounded ? ` [${show(column.low[row])}, ${show(column.high[row])}]` : "");
}

/** What rows are ordered by: numbers, or the ranks of words; null stays last. */
function keys(column) {
  if (column.kind === "number") return column.cells;
  const ranks = new Array(column.words.length);
  column.words.map((_, word) => word)
    .sort((a, b) => ORDER.compare(column.words[a], column.words[b]))
    .forEach((word, rank) => { ranks[word] = rank; });
  return column.cells.map((word) => (word < 0 ? null : ranks[word]));
}

function sorted(rows, column, direction) {
  const key = keys(column);
  return [...rows].sort((a, b) => {
    if (key[a] === null || key[b] === null) return (key[a] === null) - (key[b] === null) || a - b;
    return direction * (key[a] - key[b]) || a - b;
  });
}

/** A table in `place` that sorts by its heads and, with `filters`, is narrowed by its words. */
function browse(place) {
  const table = JSON.parse(document.getElementById(place.dataset.source).textContent);
  const words = table.columns.filter((column) => column.kind === "words");
  const long = new Set(words.filter((column) => column.words.some((word) => word.length > 48)));
  const chosen = new Map();
  let sought = "", order = null, limit = STEP, texts = null;

  const head = element("tr");
  const body = element("tbody");
  const status = element("p", { className: "muted", role: "status" });
  const more = element("button", { type: "button", className: "more" });

  function matching() {
    let rows = [...Array(table.rows).keys()];
    for (const [column, word] of chosen) rows = rows.filter((row) => column.cells[row] === word);
    if (sought) {
      texts ??= rows.length && [...Array(table.rows).keys()].map((row) =>
        words.map((column) => column.words[column.cells[row]] ?? "").join("\n").toLowerCase());
      rows = rows.filter((row) => texts[row].includes(sought));
    }
    return order ? sorted(rows, order.column, order.direction) : rows;
  }

  function render() {
    const rows = matching();
    body.replaceChildren(...rows.slice(0, limit).map((row) => element("tr", {}, ...table.columns.map((column, place) => {
      const cell = element(place ? "td" : "th", { textContent: shown(column, row) });
      if (!place) cell.scope = "row";
      cell.className = column.kind === "number" ? "number" : long.has(column) ? "long" : "";
      return cell;
    }))));
    const count = WHOLE.format(rows.length);
    const all = WHOLE.format(table.rows);
    status.textContent = rows.length > limit
      ? `The first ${WHOLE.format(limit)} of ${count} rows${rows.length < table.rows ? ` (of ${all})` : ""}.`
      : rows.length < table.rows ? `${count} of ${all} rows.` : `All ${all} rows.`;
    more.hidden = rows.length <= limit;
    more.textContent = `Show ${WHOLE.format(Math.min(limit, rows.length - limit))} more`;
  }

  function narrowed() {
    limit = STEP;
    render();
  }

  for (const column of table.columns) {
    const cell = element("th", { scope: "col", className: column.kind === "number" ? "number" : "" });
    cell.append(element("button", { type: "button", textContent: column.title, onclick() {
      const before = order?.column === column ? order.direction : 0;
      order = before < 0 ? null : { column, direction: before ? -1 : 1 };
      for (const other of head.children) other.removeAttribute("aria-sort");
      if (order) cell.setAttribute("aria-sort", order.direction > 0 ? "ascending" : "descending");
      render();
    } }));
    head.append(cell);
  }
  more.onclick = () => { limit *= 2; render(); };

  const controls = element("div", { className: "controls" });
  if (table.rows > 20) {
    const fields = [];
    for (const column of words) {
      if (long.has(column) || column.words.length < 2 || column.words.length > 60) continue;
      const select = element("select", { onchange() {
        if (select.value === "") chosen.delete(column);
        else chosen.set(column, Number(select.value));
        narrowed();
      } }, element("option", { value: "", textContent: "all" }));
      select.append(...column.words.map((word, number) => element("option", { value: number, textContent: word })));
      controls.append(element("label", {}, column.title, select));
      fields.push(select);
    }
    const search = element("input", { type: "search", placeholder: "any text", oninput() {
      sought = search.value.trim().toLowerCase();
      narrowed();
    } });
    controls.append(element("label", {}, "contains", search));
    controls.append(element("button", { type: "button", textContent: "Show all", onclick() {
      for (const field of [...fields, search]) field.value = "";
      chosen.clear();
      sought = "";
      narrowed();
    } }));
  }
  const scroll = element("div", { className: "scroll tall", tabIndex: 0, role: "region" },
    element("table", {}, element("caption", { textContent: place.dataset.caption }), element("thead", {}, head), body));
  scroll.setAttribute("aria-label", place.dataset.caption);
  place.replaceChildren(controls, status, scroll, more);
  render();
}

/** A choice above a table that is there already, of the kinds of rows to show. */
function narrow(table) {
  const rows = [...table.tBodies[0].rows];
  const kinds = new Set(rows.map((row) => row.dataset.kind));
  const select = element("select", { onchange() {
    for (const row of rows) row.hidden = select.value !== "" && row.dataset.kind !== select.value;
  } }, element("option", { value: "", textContent: "all" }));
  select.append(...[...kinds].map((kind) => element("option", { value: kind, textContent: kind })));
  table.parentElement.before(element("div", { className: "controls" }, element("label", {}, table.dataset.narrow, select)));
}

for (const table of document.querySelectorAll("[data-narrow]")) narrow(table);
for (const place of document.querySelectorAll(".browse")) {
  const closed = place.closest("details");
  if (closed) closed.addEventListener("toggle", () => browse(place), { once: true });
  else browse(place);
}
