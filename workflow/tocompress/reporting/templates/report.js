"use strict";

// The parts of the page: limits and their answer, the plot, a row of its own, and tables of other shapes.

/** A channel of Plot whose values are used as they are. */
function asIs(value) {
  return { value, scale: null };
}

// The first screen: limits, the answer, the ranked table and the plot of both.

const form = document.getElementById("limits");
const MOST = 6; // models whose best rows are named
const TIMED = Boolean(STUDY.metrics.latency);
const LINEAR = { valueAt: Number, placeOf: (value) => Math.min(value, 100), none: Infinity };

/** Places of a slider on a logarithmic scale over a field of the rows. At its end there is no limit. */
function logarithmic(slider, field) {
  const [low, high] = d3.extent(ROWS, (row) => row[field] || null);
  const scale = d3.scaleLog([low, high], [0, Number(slider.max)]);
  return {
    valueAt: (place) => (Number(place) >= Number(slider.max) ? Infinity : scale.invert(place)),
    placeOf: (value) => (value >= high ? slider.max : Math.max(0, scale(value))),
    none: Infinity,
  };
}

/** A limit that a slider and a number show, or no limit without its slider. */
function limitOf(name, start, scaleOf, changed) {
  const slider = form.elements[name], number = form.elements[`${name}-number`];
  if (!slider) return { value: Infinity };
  const scale = scaleOf(slider);
  const limit = { value: start, set(value) {
    limit.value = value;
    slider.value = scale.placeOf(value);
    number.value = value === Infinity ? "" : Number(value.toPrecision(3));
    changed();
  } };
  slider.oninput = () => limit.set(scale.valueAt(slider.value));
  number.oninput = () => {
    limit.value = number.value === "" ? scale.none : Math.max(0, Number(number.value));
    slider.value = scale.placeOf(limit.value);
    changed();
  };
  return limit;
}

function startLimits() {
  const changed = () => show(state, table);
  const state = {
    loss: limitOf("loss", 1, () => LINEAR, changed),
    time: limitOf("time", Infinity, (slider) => logarithmic(slider, "timeAtMost"), changed),
    energy: limitOf("energy", Infinity, (slider) => logarithmic(slider, "energyAtMost"), changed),
    model: "", order: "size", unknown: false,
  };
  const table = tabulate(document.getElementById("ranked"), { data: ROWS, columns: variantColumns(true), maxHeight: "31rem" });
  form.elements.model.onchange = (event) => { state.model = event.target.value; changed(); };
  form.elements.order.onchange = (event) => { state.order = event.target.value; sort(state, table); changed(); };
  form.elements.unknown.onchange = (event) => { state.unknown = event.target.checked; changed(); };
  form.onsubmit = (event) => event.preventDefault();
  table.on("tableBuilt", () => { sort(state, table); table.setFilter((row) => qualifies(row, state)); });
  drawAgainWhereWider(state);
  show(state, table);
}

function show(state, table) {
  const fits = (row) => qualifies(row, state);
  document.getElementById("answer-line").innerHTML = answer(ROWS.filter(fits), state);
  drawTradeOff(state);
  if (table.initialized) table.setFilter(fits);
}

function sort(state, table) {
  table.setSort(state.order, state.order === "change" ? "desc" : "asc");
}

function drawAgainWhereWider(state) {
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === width) return;
    width = contentRect.width;
    drawTradeOff(state);
  }).observe(document.getElementById("trade-off"));
}

function qualifies(row, state) {
  if (state.model && row.model !== state.model) return false;
  if (row.change === null ? !state.unknown : row.changeAtLeast < -state.loss.value) return false;
  if (TIMED && row.time === null && !state.unknown) return false;
  return ["time", "energy"].every((name) => {
    const [limit, most] = [state[name].value, row[`${name}AtMost`]];
    return limit === Infinity || (most !== null && most <= limit);
  });
}

const ORDERS = { size: "smallest file", time: "shortest time", memory: "least memory", energy: "least energy", change: "least loss" };

/** The limits and the best row of each model, in words. */
function answer(rows, state) {
  const pool = ROWS.filter((row) => !state.model || row.model === state.model);
  const count = `${rows.length} of ${pool.length} rows qualify.`;
  const ranked = d3.groups(rows.filter((row) => row[state.order] !== null), (row) => row.model);
  if (!ranked.length) {
    const unknown = pool.every((row) => row.change === null) ? " Its accuracy is unknown: tick the box to see its costs." : "";
    return `${within(state)}: <b>none qualifies.</b> ${count}${unknown}`;
  }
  const pick = state.order === "change" ? d3.greatest : d3.least;
  const best = ranked.slice(0, MOST).map(([, own]) => described(pick(own, (row) => row[state.order])));
  const more = ranked.length > MOST ? ` and ${ranked.length - MOST} more models` : "";
  return `${within(state)}, the ${ORDERS[state.order]}${ranked.length > 1 ? " of each model" : ""}: ${best.join("; ")}${more}. ${count}`;
}

function within(state) {
  const costs = [["time", "ms"], ["energy", "J"]].filter(([name]) => state[name].value !== Infinity)
    .map(([name, unit]) => `${Number(state[name].value.toPrecision(3))} ${unit}`);
  const lost = state.loss.value === Infinity ? [] : [`${state.loss.value} point${state.loss.value === 1 ? "" : "s"} lost`];
  const all = [...lost, ...costs];
  return all.length ? `With at most ${all.join(" and ")}` : "Without limits";
}

function described(row) {
  const facts = [
    row.size === null ? "" : quantity(row.size, "byte"),
    row.baseline ? "uncompressed" : row.change === null ? "accuracy unknown" : `${points(row.change)} points`,
    row.time === null ? "no time" : `${THREE.format(row.time)} ms`,
  ];
  return `<b>${escaped(row.name)} ${escaped(row.variant)}</b>, ${escaped(row.how)} (${facts.filter(Boolean).join(", ")})`;
}

function drawTradeOff(state) {
  const place = document.getElementById("trade-off");
  const fits = (row) => qualifies(row, state);
  const shown = ROWS.filter((row) => row.change !== null && row.time !== null && (!state.model || row.model === state.model));
  if (!shown.length) { place.replaceChildren("No variant has both an accuracy and a time."); return; }
  const floor = -6;
  const y = (row) => Math.max(row.change, floor);
  const front = shown.filter((row) => row.front);
  const width = Math.min(place.clientWidth || 900, 1100);
  const plot = Plot.plot({
    width, height: Math.max(320, width * 0.4), marginLeft: 56, marginBottom: 42, style: { fontSize: "12px", background: "none", color: "inherit" },
    x: { type: "log", label: "inference time (ms) →", grid: true, ticks: 6, tickFormat: (tick) => THREE.format(tick).replace(/\.?0+$/, "") },
    y: { label: "↑ points from fp32", grid: true, domain: [floor - 0.3, Math.max(1, d3.max(shown, y) + 0.3)], tickFormat: (tick) => (tick === floor ? `≤ ${MINUS}6` : points(tick).replace(".0", "")) },
    marks: [
      Plot.ruleY([0], { stroke: "currentColor" }),
      Plot.ruleY([Math.max(-state.loss.value, floor - 0.3)], { stroke: "var(--limit)", strokeWidth: 2, strokeDasharray: "6 4" }),
      ...(state.time.value === Infinity ? [] : [Plot.ruleX([state.time.value], { stroke: "var(--limit)", strokeWidth: 2, strokeDasharray: "6 4" })]),
      Plot.link(shown, { x1: (row) => known(row, "latency")[LOW] ?? row.time, x2: (row) => row.timeAtMost, y1: y, y2: y, stroke: asIs(colour), strokeOpacity: (row) => (fits(row) ? 0.6 : 0.12) }),
      Plot.link(shown.filter((row) => !row.baseline), { x1: "time", x2: "time", y1: (row) => Math.max(row.changeAtLeast, floor), y2: (row) => Math.max(known(row, row.judge)[EFFECT_HIGH] ?? row.change, floor), stroke: asIs(colour), strokeOpacity: (row) => (fits(row) ? 0.6 : 0.12) }),
      Plot.dot(front, { x: "time", y, r: 9, stroke: "currentColor", strokeOpacity: 0.6 }),
      Plot.dot(shown, { x: "time", y, r: 5, symbol: asIs((row) => (SHAPES[row.look[2]] ?? SHAPES.o)[0]), rotate: (row) => (SHAPES[row.look[2]] ?? SHAPES.o)[1] ?? 0, fill: asIs(colour), fillOpacity: (row) => (fits(row) ? 1 : 0.15), stroke: asIs(colour), strokeOpacity: (row) => (fits(row) ? 1 : 0.3) }),
      Plot.text(state.model ? apart(front) : [], { x: "time", y, dx: 9, dy: -9, textAnchor: "start", text: "variant", fill: "currentColor", stroke: "var(--paper)", strokeWidth: 4 }),
      Plot.tip(shown, Plot.pointer({ x: "time", y, fill: "var(--paper)", title: (row) => `${row.name} ${row.variant}, ${row.how}\n${told("latency", known(row, "latency"))}\n${row.baseline ? "fp32" : effect(row.judge, known(row, row.judge))}` })),
    ],
  });
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", "Inference time and points of accuracy of each variant, with both limits");
  dragged(plot, state);
  place.replaceChildren(plot);
}

/** Rows whose marks lie so far apart that their names do not meet. */
function apart(rows) {
  const kept = [];
  for (const row of d3.sort(rows, (one) => -one.change)) {
    const meets = (other) => Math.abs(Math.log(row.time / other.time)) < 0.12 && Math.abs(row.change - other.change) < 0.5;
    if (!kept.some(meets)) kept.push(row);
  }
  return kept;
}

/** The lines of both limits follow the pointer. */
function dragged(plot, state) {
  const x = plot.scale("x"), y = plot.scale("y");
  plot.addEventListener("pointerdown", (begin) => {
    const box = plot.getBoundingClientRect();
    const near = (event) => [event.clientX - box.left, event.clientY - box.top];
    const [left, top] = near(begin);
    const onLoss = Math.abs(y.apply(-state.loss.value) - top) < 8;
    const onTime = state.time.value !== Infinity && Math.abs(x.apply(state.time.value) - left) < 8;
    if (!onLoss && !onTime) return;
    begin.preventDefault();
    const move = (event) => {
      const [toX, toY] = near(event);
      if (onTime) state.time.set(x.invert(toX));
      else state.loss.set(Number(Math.max(0, -y.invert(toY)).toFixed(1)));
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", () => window.removeEventListener("pointermove", move), { once: true });
  });
}

// A row of its own: all values, the raw times, the files and the commands.

const dialog = document.getElementById("row");

function open(row) {
  const values = element("table", { className: "compact" }, element("thead", {}, element("tr", {},
    ...["", "value", "against fp32", "settled"].map((text) => element("th", { scope: "col", textContent: text })))));
  const body = element("tbody");
  for (const [metric, { title }] of Object.entries(STUDY.metrics)) {
    const value = row.values[metric];
    if (value === undefined) continue;
    const cells = Array.isArray(value)
      ? [told(metric, value), row.baseline ? "" : effect(metric, value), settled(value)] : [`– (${value})`, "", ""];
    body.append(element("tr", {}, element("th", { scope: "row", textContent: title }), ...cells.map((text) => element("td", { textContent: text }))));
  }
  values.append(body);
  const command = `snakemake --cores all ${row.bundle}`;
  dialog.replaceChildren(
    element("form", { method: "dialog" }, element("button", { className: "close", textContent: "Close", autofocus: true })),
    element("h2", { textContent: `${row.name} ${row.variant}` }),
    element("p", { textContent: [row.how, row.device && `on ${row.device}`, row.build].filter(Boolean).join(", ") }),
    ...(row.artifact ? [element("p", {}, "The file that a device loads: ", element("a", { href: row.artifact, textContent: row.artifact, download: "" })),
      element("p", {}, "With a card, the names of its classes and a program that runs it, in a folder of its own (with the --configfile of the study, if it has one):"),
      element("pre", { textContent: `${command}\npython ${row.bundle}/run.py --help` })] : []),
    histogram([row]) ?? "",
    values,
  );
  dialog.showModal();
}

function settled(value) {
  return [["value", SETTLED], ["ratio", EFFECT_SETTLED]].filter(([, place]) => value[place] !== null)
    .map(([name, place]) => `${name}: ${value[place] ? "yes" : "no"}`).join(", ");
}

/** The raw times behind rows, one line each, or null where there is none. */
function histogram(rows) {
  const found = rows.flatMap((row) => (SAMPLES[row.model] ?? []).filter((one) =>
    one.variant === row.variant && one.runtime === row.runtime && one.device === row.device && one.arithmetic === row.arithmetic)
    .map((one) => ({ ...one, row, name: `${row.variant}, ${row.how}` })));
  if (!found.length) return null;
  const bins = found.flatMap((one) => one.counts.map((count, bin) => ({ name: one.name, row: one.row, count: count / d3.max(one.counts), runs: count, low: one.edges[bin], high: one.edges[bin + 1] })));
  const plot = Plot.plot({
    width: Math.min(860, window.innerWidth - 64), height: 60 + 34 * found.length, marginLeft: 8, marginRight: 230, marginBottom: 36,
    style: { fontSize: "12px", background: "none", color: "inherit" },
    x: { type: "log", label: "time of a run (ms) →", ticks: 5, tickFormat: (tick) => THREE.format(tick).replace(/\.?0+$/, "") }, y: { axis: null }, fy: { label: null, padding: 0.15, domain: found.map((one) => one.name) },
    marks: [Plot.rectY(bins, { x1: "low", x2: "high", y: "count", fy: "name", fill: asIs((bin) => colour(bin.row)), title: (bin) => `${bin.runs} runs from ${THREE.format(bin.low)} to ${THREE.format(bin.high)} ms` }), Plot.ruleY([0])],
  });
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", "Histogram of the raw times");
  const runs = d3.sum(found, (one) => one.runs);
  return element("figure", {}, plot, element("figcaption", { textContent: `${WHOLE.format(runs)} timed runs. The runs beyond either end are in the last bins.` }));
}

// Tables of other shapes: those of rows by columns that Python made.

function columnsOf(table) {
  return table.columns.map((column, place) => {
    const words = column.kind === "words";
    const long = words && column.words.some((word) => word.length > 48);
    return {
      title: column.title, field: `c${place}`, frozen: place === 0 && window.innerWidth > 600, hozAlign: words ? "left" : "right",
      ...last, sorter: words ? "alphanum" : "number", ...(long ? { minWidth: 260, formatter: "textarea" } : {}),
      ...(words && !long && column.words.length > 1 && table.rows > 20
        ? { headerFilter: column.words.length > 60 ? "input" : "list", headerFilterParams: { values: ["", ...column.words] }, headerFilterFunc: column.words.length > 60 ? "like" : "=" } : {}),
      ...(words ? {} : { formatter: (cell) => cell.getData()[`t${place}`] }),
    };
  });
}

function rowsOf(table) {
  return [...Array(table.rows).keys()].map((row) => Object.fromEntries(table.columns.flatMap((column, place) => {
    const cell = column.cells[row];
    if (column.kind === "words") return [[`c${place}`, column.words[cell] ?? ""]];
    return [[`c${place}`, cell], [`t${place}`, shown(column, row)]];
  })));
}

function shown(column, row) {
  const cell = column.cells[row];
  if (cell === null) return "";
  const bounded = column.low && column.low[row] !== null && column.high[row] !== null;
  const show = column.unit ? (value) => quantity(value, column.unit.words[column.unit.cells[row]] ?? "")
    : column.low ? (value) => value.toFixed(3) : (value) => (Number.isInteger(value) ? WHOLE.format(value) : THREE.format(value));
  return show(cell) + (bounded ? ` [${show(column.low[row])}, ${show(column.high[row])}]` : "");
}

function browse(place) {
  const table = json(place.dataset.source);
  const target = element("div");
  target.dataset.caption = place.dataset.caption;
  place.replaceChildren(target);
  const made = tabulate(target, { data: rowsOf(table), columns: columnsOf(table), maxHeight: "70vh" });
  place.append(downloadOf(made, place.dataset.source));
}

function downloadOf(table, name) {
  return element("button", { type: "button", className: "more", textContent: "Download as CSV", onclick: () => table.download("csv", `${name}.csv`) });
}

function wide(place) {
  const metrics = Object.entries(STUDY.metrics);
  const unit = (one) => ({ byte: "B", fraction: "", score: "", 1: "" }[one.unit] ?? one.unit);
  const table = tabulate(place, {
    data: ROWS, maxHeight: "80vh", renderVertical: "virtual",
    columns: [
      { title: "model", field: "name", frozen: true, headerFilter: "list", headerFilterParams: { values: ["", ...new Set(ROWS.map((row) => row.name))] }, headerFilterFunc: "=" },
      { title: "variant", field: "variant", frozen: true, headerFilter: "input" },
      { title: "runtime, weights", field: "how", headerFilter: "input" },
      ...(new Set(ROWS.map((row) => row.device)).size > 2 ? [{ title: "device", field: "device" }] : []),
      ...metrics.map(([metric, one]) => ({
        title: one.title + (unit(one) ? ` (${unit(one)})` : ""), field: `values.${metric}`, hozAlign: "right",
        formatter: (cell) => `<button type="button" class="link plain">${cellOf(metric)(cell)}</button>`,
        accessorDownload: (value) => (Array.isArray(value) ? value[VALUE] : ""),
        sorter: (a, b) => (Array.isArray(a) ? a[VALUE] : Infinity) - (Array.isArray(b) ? b[VALUE] : Infinity),
        tooltip: (event, cell) => { const value = cell.getValue(); return Array.isArray(value) ? [told(metric, value), effect(metric, value)].filter(Boolean).join("; ") : value ?? ""; },
        cellClick: (event, cell) => open(cell.getData()),
      })),
    ],
  });
  place.after(downloadOf(table, "values"));
}

function block(details) {
  const rows = ROWS.filter((row) => row.model === details.dataset.model);
  const target = element("div");
  target.dataset.caption = `All variants of ${details.dataset.model}`;
  details.append(target, histogram(rows) ?? element("p", { className: "muted", textContent: "No times were measured for this model." }));
  tabulate(target, { data: rows, columns: variantColumns(false) });
}

function switchable(field) {
  const figure = field.closest("figure");
  field.onchange = () => {
    for (const group of figure.querySelectorAll("[data-switch]")) {
      group.setAttribute("display", group.dataset.switch === field.elements.switch.value ? "inline" : "none");
    }
  };
}

/** Mark the section that is in sight in the contents. */
function followContents() {
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) {
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  for (const section of document.querySelectorAll("main > section")) seen.observe(section);
}

for (const place of document.querySelectorAll("[data-swatch]")) {
  const row = ROWS.find((one) => one.variant === place.dataset.swatch);
  if (row) place.innerHTML = swatch(row);
}
const opened = (details, act) => details.addEventListener("toggle", () => act(), { once: true });
startLimits();
for (const details of document.querySelectorAll("details[data-model]")) opened(details, () => block(details));
for (const place of document.querySelectorAll(".browse")) {
  const closed = place.closest("details");
  if (closed) opened(closed, () => browse(place));
  else browse(place);
}
const values = document.getElementById("wide");
if (values) wide(values);
for (const field of document.querySelectorAll("form.switch")) switchable(field);
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
followContents();
