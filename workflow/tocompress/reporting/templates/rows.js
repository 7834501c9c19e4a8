"use strict";

// The rows of the study, their numbers in print, their marks, and the columns that tables share.
// The page holds plain data in elements of JSON. Tabulator makes the tables, Observable Plot the plots.
const STUDY = json("study-data");
const SAMPLES = json("study-samples");
const [VALUE, LOW, HIGH, COUNT, PROCESSES, EFFECT, EFFECT_LOW, EFFECT_HIGH, SETTLED, EFFECT_SETTLED] = Array(10).keys();
const JUDGES = ["top1", "bleu"];
const SCALES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"]];
const THREE = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en");
const MINUS = "−";

function json(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function escaped(text) {
  return String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

// Numbers in print.

function quantity(value, unit) {
  if (unit === "fraction") return `${(100 * value).toFixed(1)} %`;
  if (unit === "score") return value.toFixed(1);
  if (unit === "ms") [value, unit] = [value / 1e3, "s"];
  const [size, prefix] = SCALES.find(([scale]) => Math.abs(value) >= scale) ?? [1, ""];
  const symbol = { byte: "B", 1: "" }[unit] ?? unit;
  return `${value === 0 ? "0" : THREE.format(value / size)} ${prefix}${symbol}`.trimEnd();
}

function points(change) {
  const text = toTenths(change);
  return Number(text) === 0 ? "0.0" : change > 0 ? `+${text}` : text.replace("-", MINUS);
}

/** A number to one decimal. A quarter lies exactly between two, and goes to the even one, as Python rounds in figures. */
function toTenths(value) {
  const between = Number.isInteger(4 * value) && (4 * value) % 2 !== 0;
  return (between ? (2 * Math.round(5 * value)) / 10 : value).toFixed(1);
}

function times(ratio) {
  return `×${ratio.toFixed(2)}`;
}

/** A value with its interval, its effect and its n, in words. */
function told(metric, value) {
  const { unit } = STUDY.metrics[metric];
  const bounds = value[LOW] === null ? "" : ` (${quantity(value[LOW], unit)} to ${quantity(value[HIGH], unit)})`;
  const n = value[COUNT] > 1 ? `, n = ${WHOLE.format(value[COUNT])}` : "";
  return quantity(value[VALUE], unit) + bounds + n;
}

function effect(metric, value) {
  if (value[EFFECT] === null) return "";
  const show = isAccuracy(metric) ? points : times;
  const bounds = value[EFFECT_LOW] === null ? "" : ` (${show(value[EFFECT_LOW])} to ${show(value[EFFECT_HIGH])})`;
  return show(value[EFFECT]) + bounds + (isAccuracy(metric) ? " points" : "");
}

function isAccuracy(metric) {
  return ["fraction", "score"].includes(STUDY.metrics[metric].unit) && metric !== "filters_removed";
}

// The rows, and what the tables sort and filter by.

function known(row, metric) {
  const value = row.values[metric];
  return Array.isArray(value) ? value : null;
}

const ROWS = STUDY.rows.map((row, id) => {
  const judge = JUDGES.find((metric) => known(row, metric));
  const accuracy = judge ? known(row, judge) : null;
  const time = known(row, "latency");
  const how = [row.runtime, row.arithmetic].filter(Boolean).join(", ");
  return {
    ...row, id, judge, how,
    size: known(row, "size")?.[VALUE] ?? null,
    memory: known(row, "memory")?.[VALUE] ?? null,
    energy: known(row, "energy")?.[VALUE] ?? null,
    time: time?.[VALUE] ?? null,
    timeAtMost: time ? time[HIGH] ?? time[VALUE] : null,
    energyAtMost: known(row, "energy")?.[HIGH] ?? known(row, "energy")?.[VALUE] ?? null,
    ratio: time?.[EFFECT] ?? null,
    change: row.baseline && accuracy ? 0 : accuracy?.[EFFECT] ?? null,
    changeAtLeast: row.baseline && accuracy ? 0 : accuracy?.[EFFECT_LOW] ?? accuracy?.[EFFECT] ?? null,
    accuracy: accuracy?.[VALUE] ?? null,
    search: [row.name, row.model, row.variant, how, row.build].join(" ").toLowerCase(),
  };
});

// Marks: one shape and one colour a variant, as in the figures.

function polygon(sides) {
  return { draw(context, size) {
    const radius = Math.sqrt(size / Math.PI) * 1.1;
    for (let side = 0; side <= sides; side += 1) {
      const angle = (2 * Math.PI * side) / sides;
      context[side ? "lineTo" : "moveTo"](radius * Math.sin(angle), -radius * Math.cos(angle));
    }
    context.closePath();
  } };
}

const SHAPES = {
  o: [d3.symbolCircle], s: [d3.symbolSquare], D: [d3.symbolDiamond], d: [d3.symbolDiamond], P: [d3.symbolCross],
  X: [d3.symbolCross, 45], "^": [d3.symbolTriangle], v: [d3.symbolTriangle, 180], "<": [d3.symbolTriangle, -90],
  ">": [d3.symbolTriangle, 90], "*": [d3.symbolStar], h: [polygon(6)], H: [polygon(6), 30], 8: [polygon(8)], p: [polygon(5)],
};

function colour(row) {
  return `light-dark(${row.look[0]}, ${row.look[1]})`;
}

function mark(row, x, y, clear = true) {
  const [symbol, turn = 0] = SHAPES[row.look[2]] ?? SHAPES.o;
  const path = d3.symbol(symbol, 48)();
  const fill = clear ? colour(row) : "var(--paper)";
  return `<path d="${path}" transform="translate(${x} ${y}) rotate(${turn})" style="fill: ${fill}; stroke: ${colour(row)}" stroke-width="1.5"/>`;
}

function swatch(row) {
  return `<svg class="swatch" width="14" height="14" aria-hidden="true">${mark(row, 7, 7)}</svg>`;
}

/** A dot with its interval beside the line of no change. Its mark is filled where the interval excludes no change. */
function interval(row, value, scale, neutral) {
  const [middle, low, high] = [EFFECT, EFFECT_LOW, EFFECT_HIGH].map((place) => value[place]);
  const clear = low !== null && (low > neutral || high < neutral);
  const at = (number) => Math.min(Math.max(scale(number), 7), 59);
  const bar = low === null ? "" :
    `<line x1="${at(low)}" x2="${at(high)}" y1="9" y2="9" style="stroke: ${colour(row)}" stroke-width="2"/>`;
  return `<svg class="interval" width="66" height="18" aria-hidden="true"><line x1="${scale(neutral)}" x2="${scale(neutral)}" y1="0" y2="18" stroke="currentColor"/>${bar}${mark(row, at(middle), 9, clear)}</svg>`;
}

const CHANGES = d3.scaleLinear([-6, 2], [7, 59]);
const RATIOS = d3.scaleLog([1 / 4, 4], [7, 59]);

// Columns that several tables share.

const last = { sorterParams: { alignEmptyValues: "bottom" } };

function cellOf(metric) {
  return (cell) => {
    const value = cell.getData().values[metric];
    if (Array.isArray(value)) return quantity(value[VALUE], STUDY.metrics[metric].unit);
    return value ? "–" : "";
  };
}

function why(metric) {
  return (_, cell) => {
    const value = cell.getData().values[metric];
    return Array.isArray(value) ? told(metric, value) : value ?? "";
  };
}

function accuracyCell(cell) {
  const row = cell.getData();
  const value = row.judge && known(row, row.judge);
  if (!value) return "–";
  if (row.baseline) return `<span class="quiet">${quantity(value[VALUE], STUDY.metrics[row.judge].unit)}</span>`;
  return value[EFFECT] === null ? "–" : interval(row, value, CHANGES, 0) + `<span class="after">${points(value[EFFECT])}</span>`;
}

function timeCell(cell) {
  const value = known(cell.getData(), "latency");
  if (!value) return "–";
  if (value[LOW] === null) return `${THREE.format(value[VALUE])} ms`;
  const half = (50 * (value[HIGH] - value[LOW])) / value[VALUE];
  const width = half > 50 ? `${THREE.format(value[LOW])}–${THREE.format(value[HIGH])}` : `±${half.toFixed(0)} %`;
  return `${THREE.format(value[VALUE])} ms <span class="quiet">${width}</span>`;
}

function ratioCell(cell) {
  const row = cell.getData();
  const value = known(row, "latency");
  if (!value || value[EFFECT] === null) return "–";
  return row.baseline ? "" : interval(row, value, RATIOS, 1) + `<span class="after">${times(value[EFFECT])}</span>`;
}

const NARROW = window.innerWidth < 600;
const LONGEST = d3.max(ROWS, (row) => row.name.length);

function variantCell(cell) {
  const row = cell.getData();
  return `${NARROW ? `${escaped(row.name)}<br>` : ""}${swatch(row)} <b>${escaped(row.variant)}</b>`;
}

/** The columns of a variant. On a phone its model stands in the same cell, and the runtime comes last. */
function variantColumns(withModel) {
  const how = { title: "runtime, weights", field: "how", minWidth: 150 };
  return [
    ...(withModel && !NARROW ? [{ title: "model", field: "name", frozen: true, minWidth: 7.3 * LONGEST + 12 }] : []),
    { title: "variant", field: "variant", frozen: true, formatter: variantCell },
    ...(NARROW ? [] : [how]),
    { title: "file", field: "size", hozAlign: "right", ...last, formatter: cellOf("size"), tooltip: why("size") },
    { title: "memory", field: "memory", hozAlign: "right", ...last, formatter: cellOf("memory"), tooltip: why("memory") },
    { title: "accuracy, points", field: "change", ...last, formatter: accuracyCell, tooltip: (event, cell) => {
      const row = cell.getData();
      return row.judge ? `${told(row.judge, known(row, row.judge))}; ${effect(row.judge, known(row, row.judge))}` : "accuracy unknown";
    } },
    { title: "time", field: "time", hozAlign: "right", ...last, formatter: timeCell, tooltip: why("latency") },
    { title: "time / fp32", field: "ratio", ...last, formatter: ratioCell, tooltip: (event, cell) => {
      const value = known(cell.getData(), "latency");
      return value ? effect("latency", value) : "";
    } },
    ...(STUDY.metrics.energy ? [{ title: "energy", field: "energy", hozAlign: "right", ...last, formatter: cellOf("energy"), tooltip: why("energy") }] : []),
    ...(NARROW ? [how] : []),
    { title: "get", field: "artifact", headerSort: false, formatter: (cell) => cell.getValue()
      ? `<button type="button" class="link">files</button>` : "", cellClick: (event, cell) => open(cell.getData()) },
  ];
}

/** A head that sorts is reached and pressed by the keyboard. */
function byKeyboard(head) {
  head.tabIndex = 0;
  head.addEventListener("keydown", (event) => {
    if (event.target === head && ["Enter", " "].includes(event.key)) { event.preventDefault(); head.click(); }
  });
}

function tabulate(place, options) {
  const table = new Tabulator(place, {
    layout: "fitDataFill", renderVertical: options.data.length > 400 ? "virtual" : "basic",
    placeholder: "No row qualifies.", columnDefaults: { headerSortTristate: true, tooltip: false, vertAlign: "middle" }, ...options,
  });
  table.on("tableBuilt", () => {
    place.setAttribute("aria-label", place.dataset.caption ?? "table");
    for (const head of place.querySelectorAll(".tabulator-col.tabulator-sortable")) byKeyboard(head);
  });
  return table;
}
