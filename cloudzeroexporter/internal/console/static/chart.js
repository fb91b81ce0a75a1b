"use strict";
// The chart shows what the table of its name says, as stacked bars.

const chart = {
  colors: 9,

  // read takes the numbers out of the table. They are exact there; a chart needs no more than a double.
  read(table) {
    const names = [...table.tHead.rows[0].cells].slice(1, -1).map((cell) => cell.textContent);
    const rows = [...table.tBodies[0].rows];
    return {
      names,
      times: rows.map((row) => row.cells[0].textContent),
      values: names.map((_, i) => rows.map((row) => Number(row.cells[i + 1].textContent))),
    };
  },

  // stack adds every run to those below it. The highest is drawn first, so that the others cover it.
  stack(values) {
    const sums = [];
    let below = null;
    for (const run of values) {
      below = run.map((value, i) => value + (below ? below[i] : 0));
      sums.push(below);
    }
    return sums;
  },

  // color is what a variable of the style sheet comes to, in the scheme that is on.
  color(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const color = getComputedStyle(probe).color;
    probe.remove();
    return color;
  },

  dollars(value) {
    return value === 0 ? "0" : value >= 0.01 ? value.toFixed(2) : value.toPrecision(2);
  },

  draw(box) {
    const table = document.getElementById(box.dataset.table);
    if (!table) return;
    const data = chart.read(table);
    const stacked = chart.stack(data.values);
    const order = data.names.map((_, i) => i).reverse();
    const bars = uPlot.paths.bars({ size: [0.8, 64] });
    const text = chart.color("--soft");
    const line = chart.color("--line");
    box.hidden = false;
    box.replaceChildren();
    const plot = new uPlot({
      width: box.clientWidth,
      height: 280,
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      legend: { live: true },
      scales: { x: { time: false, range: [-0.6, data.times.length - 0.4] }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 1] } },
      axes: [
        { stroke: text, grid: { show: false }, ticks: { show: false }, space: 90, incrs: [1, 2, 3, 6, 7, 12, 24, 48, 72, 96, 168],
          values: (_, at) => at.map((i) => (data.times[i] ?? "").slice(5)) },
        { label: "USD", labelSize: 20, stroke: text, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 56, values: (_, at) => at.map(chart.dollars) },
      ],
      series: [
        { label: table.tHead.rows[0].cells[0].textContent, value: (_, i) => (i === null ? "" : data.times[i]) },
        ...order.map((i) => ({
          label: data.names[i],
          fill: chart.color("--c" + (i % chart.colors)),
          stroke: chart.color("--c" + (i % chart.colors)),
          width: 0,
          paths: bars,
          points: { show: false },
          value: (_, __, ___, at) => (at === null ? "" : chart.dollars(data.values[i][at])),
        })),
      ],
    }, [data.times.map((_, i) => i), ...order.map((i) => stacked[i])], box);
    // The legend is in the order of the table, whatever is drawn first.
    [...plot.root.querySelectorAll(".u-series")].forEach((entry, i) => (entry.style.order = i === 0 ? 0 : data.names.length - i + 1));
  },

  drawAll() {
    for (const box of document.querySelectorAll("[data-table]")) chart.draw(box);
  },
};

chart.drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", chart.drawAll);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  chart.drawAll();
});
