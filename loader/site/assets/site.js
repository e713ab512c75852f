// What a page does beside being read: search and filter of tables, arrow keys in calendars, charts. All of it is text
// and links without this script, too.
"use strict";

// A form of tools narrows the table that it names: by words, and by the value of a column.
function narrow(tools) {
  const table = document.getElementById(tools.dataset.table);
  const rows = Array.from(table.tBodies[0].rows).map((row) => [row, row.textContent.toLowerCase()]);
  const told = tools.querySelector("output");
  const search = tools.querySelector("input");
  const selects = Array.from(tools.querySelectorAll("select"));
  for (const select of selects) {
    const values = new Set(rows.map(([row]) => row.cells[select.dataset.column].textContent.trim()));
    for (const value of Array.from(values).sort()) select.add(new Option(value, value));
  }
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [row, text] of rows) {
      const fits = words.every((word) => text.includes(word)) &&
        selects.every((each) => !each.value || row.cells[each.dataset.column].textContent.trim() === each.value);
      row.hidden = !fits;
      count += fits;
    }
    told.textContent = count.toLocaleString("en") + " of " + rows.length.toLocaleString("en");
  };
  tools.addEventListener("input", apply);
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.hidden = false;
  apply();
}

// What is wider than its place is scrolled by arrow keys, too.
function reach(scroll) {
  if (scroll.scrollWidth > scroll.clientWidth) scroll.tabIndex = 0;
}

// Heads of columns are buttons: the library sorts where one is pressed.
function offer(head) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
}

// One stop of the tab key for each month; arrows walk its days, and on into the next month.
function walk(calendar) {
  const squares = Array.from(calendar.querySelectorAll("a.q"));
  for (const days of calendar.querySelectorAll(".days"))
    days.querySelectorAll("a.q").forEach((square, place) => { square.tabIndex = place ? -1 : 0; });
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  calendar.addEventListener("keydown", (event) => {
    const place = squares.indexOf(document.activeElement);
    let to = null;
    if (event.key in step) to = squares[Math.min(Math.max(place + step[event.key], 0), squares.length - 1)];
    if (event.key === "Home") to = squares[0];
    if (event.key === "End") to = squares[squares.length - 1];
    if (place < 0 || !to) return;
    event.preventDefault();
    to.tabIndex = 0;
    to.focus();
  });
}

const HUES = ["#1f77b4", "#d55e00", "#2a7f6f", "#b07aa1", "#a67c00", "#5d6b7a", "#8c564b", "#17a2b8"];
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];

function instant(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}

// Marks of an axis of time: days, or minutes where all is of a few days.
function moments(_, marks) {
  const span = marks[marks.length - 1] - marks[0];
  return marks.map((mark) => span > 2 * 86400 ? instant(mark).slice(0, 10) : instant(mark).slice(5));
}

// `chart` as loader/site/overviews.py says it: an axis of seconds since 1970, and for each series its values there.
function draw(place, chart) {
  const style = getComputedStyle(document.body);
  const ink = style.getPropertyValue("--soft"), line = style.getPropertyValue("--line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const shown = (value) => value === null ? "–" : chart.unit === "instant" ? instant(value) : value.toLocaleString("en");
  const series = chart.series.map((each, number) => ({
    label: each.name, stroke: HUES[number % HUES.length], width: 2, spanGaps: chart.form === "steps",
    dash: DASHES[Math.floor(number / HUES.length) % DASHES.length],
    points: { show: chart.form === "points" || chart.axis.length < 100 ? true : undefined, size: 5 },
    paths: chart.form === "points" ? () => null : chart.form === "steps" ? uPlot.paths.stepped({ align: 1 }) : undefined,
    value: (_, value) => value === null || value === undefined ? "–" : shown(value),
  }));
  const options = {
    width: place.clientWidth, height: 260, padding: [8, 40, 0, 0], scales: { x: { time: chart.form !== "points" } }, tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "UTC"),
    axes: [{ ...axis, space: 90, values: chart.form === "points" ? (_, marks) => marks.map((mark) => mark.toLocaleString("en")) : moments }, { ...axis, size: chart.unit === "instant" ? 120 : 70, values: (_, ticks) => ticks.map(shown) }],
    series: [{ label: chart.across, value: (_, value) => value === null ? "–" : chart.form === "points" ? value.toLocaleString("en") : instant(value) }, ...series],
  };
  const plot = new uPlot(options, [chart.axis, ...chart.series.map((each) => each.values)], place);
  window.addEventListener("resize", () => plot.setSize({ width: place.clientWidth, height: 260 }));
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("form.tools").forEach(narrow);
  document.querySelectorAll("table.sortable thead th").forEach(offer);
  document.querySelectorAll(".scroll").forEach(reach);
  document.querySelectorAll(".kind").forEach(walk);
  document.querySelectorAll(".chart").forEach((place) => draw(place, window.told.charts[place.dataset.chart]));
});
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
