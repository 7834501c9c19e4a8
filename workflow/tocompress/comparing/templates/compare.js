"use strict";

const filters = [...document.querySelectorAll(".controls select")];
const rows = [...document.querySelectorAll("#rows tbody tr")];
const count = document.getElementById("count");

/** Fill a choice with the values of its column, in the order of the table. */
function fill(filter) {
  for (const value of new Set(rows.map((row) => row.dataset[filter.name]))) filter.add(new Option(value, value));
}

function show() {
  for (const row of rows) {
    row.hidden = filters.some(({ name, value }) => value && row.dataset[name] !== value);
  }
  count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
}

for (const filter of filters) {
  fill(filter);
  filter.addEventListener("change", show);
}
show();
