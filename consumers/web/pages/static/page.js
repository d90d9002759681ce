// Draws each chart from the table that stands behind it, so that both say the same.
//
// figure[data-chart] is "line", "bar", "stacked" or "bubble"; its table's first column are the labels, each
// further one a series. A cell's number is its data-value. A column with data-of is an interval's end ("low"
// or "high" in data-role) of the series it names; one with data-role="size" is how large a bubble is.
"use strict";

const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7"];
const drawn = new WeakMap();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function number(cell) {
  const text = cell.dataset.value;
  return text === undefined || text === "" ? null : Number(text);
}

function columns(table) {
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  return heads.map((head, at) => ({
    name: head.textContent.trim(),
    of: head.dataset.of,
    role: head.dataset.role,
    cells: rows.map((row) => row.cells[at]),
  }));
}

function series(kind, all) {
  const [labels, ...rest] = all;
  const shown = rest.filter((column) => !column.role);
  const of = (name, role) => rest.find((column) => column.of === name && column.role === role);
  return shown.flatMap((column, at) => {
    const stroke = colour(COLOURS[at % COLOURS.length]);
    const main = {
      label: column.name, data: column.cells.map(number), borderColor: stroke, borderWidth: 2,
      backgroundColor: kind === "line" ? stroke : stroke + "cc", pointRadius: 2.5, tension: 0, spanGaps: true,
    };
    const [low, high] = [of(column.name, "low"), of(column.name, "high")];
    if (kind !== "line" || !low || !high) return [main];
    const edge = { borderWidth: 0, pointRadius: 0, backgroundColor: stroke + "33", inInterval: true, spanGaps: true };
    return [
      main,
      { ...edge, label: column.name + " low", data: low.cells.map(number), fill: false },
      { ...edge, label: column.name + " high", data: high.cells.map(number), fill: "-1" },
    ];
  });
}

function bubbles(all, width) {
  const [labels, x, y, size] = all;
  const most = Math.max(1, ...size.cells.map(number));
  return [{
    label: size.name,
    data: labels.cells.map((cell, at) => ({
      x: number(x.cells[at]), y: number(y.cells[at]),
      r: 4 + Math.min(24, width / 35) * Math.sqrt(number(size.cells[at]) / most),
      name: cell.textContent.trim(), size: number(size.cells[at]), link: cell.querySelector("a")?.href,
    })),
    backgroundColor: colour("--c1") + "99", borderColor: colour("--c1"), borderWidth: 1,
  }];
}

// Names beside the bubbles, the largest first, as far as there is room; the tooltip has the rest.
const names = {
  id: "names",
  afterDatasetsDraw(chart) {
    const { ctx, chartArea } = chart;
    const placed = [];
    ctx.save();
    ctx.font = "12px system-ui, sans-serif";
    ctx.fillStyle = colour("--ink");
    ctx.textAlign = "center";
    const dots = chart.getDatasetMeta(0).data.map((dot, at) => ({ dot, raw: chart.data.datasets[0].data[at] }));
    for (const { dot, raw } of dots.sort((one, other) => other.raw.size - one.raw.size)) {
      const text = raw.name.split(",")[0];
      const [half, y] = [ctx.measureText(text).width / 2, dot.y + raw.r + 12];
      const x = Math.min(Math.max(dot.x, chartArea.left + half), chartArea.right - half);
      const box = { left: x - half, right: x + half, top: y - 12, bottom: y + 3 };
      const over = (each) =>
        box.left < each.right && each.left < box.right && box.top < each.bottom && each.top < box.bottom;
      if (box.bottom > chartArea.bottom || placed.some(over)) continue;
      placed.push(box);
      ctx.fillText(text, x, y);
    }
    ctx.restore();
  },
};

function draw(figure) {
  const table = figure.querySelector("table");
  const canvas = figure.querySelector("canvas");
  if (!table || !canvas) return;
  drawn.get(canvas)?.destroy();
  const kind = figure.dataset.chart;
  const all = columns(table);
  const [ink, line] = [colour("--dim"), colour("--line")];
  const axis = (title, more) => ({
    title: { display: Boolean(title), text: title, color: ink }, ticks: { color: ink }, grid: { color: line },
    ...more,
  });
  const share = figure.dataset.unit === "share";
  const value = axis(figure.dataset.y, { stacked: kind === "stacked", beginAtZero: figure.dataset.zero !== "no" });
  if (share) value.ticks = { color: ink, callback: (tick) => `${Math.round(1000 * tick) / 10} %` };
  const map = kind === "bubble";
  drawn.set(canvas, new Chart(canvas, {
    type: kind === "stacked" ? "bar" : kind,
    data: map ? { datasets: bubbles(all, canvas.parentElement.clientWidth) }
      : { labels: all[0].cells.map((cell) => cell.textContent.trim()), datasets: series(kind, all) },
    plugins: map ? [names] : [],
    options: {
      animation: false, responsive: true, maintainAspectRatio: false,
      scales: map ? { x: { display: false }, y: { display: false } }
        : { x: axis(figure.dataset.x, { stacked: kind === "stacked" }), y: value },
      plugins: {
        legend: {
          display: !map && all.filter((column) => !column.role).length > 2,
          labels: { color: ink, filter: (item, data) => !data.datasets[item.datasetIndex].inInterval },
        },
        tooltip: map ? { callbacks: { label: (at) => `${at.raw.name}: ${at.raw.size.toLocaleString()}` } } : {},
      },
      onClick: (event, hit) => {
        const link = map && hit.length && bubbleAt(canvas, hit[0]);
        if (link) location.assign(link);
      },
    },
  }));
}

function bubbleAt(canvas, hit) {
  return drawn.get(canvas).data.datasets[hit.datasetIndex].data[hit.index].link;
}

function drawAll(within) {
  within.querySelectorAll("figure[data-chart]").forEach(draw);
}

// A button with data-dialog opens that dialog; one with data-close in it closes it, and so does Escape.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.dialog) document.getElementById(button.dataset.dialog).showModal();
  if (button && "close" in button.dataset) button.closest("dialog").close();
});

document.addEventListener("DOMContentLoaded", () => drawAll(document));
document.addEventListener("htmx:afterSettle", (event) => drawAll(event.target));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
