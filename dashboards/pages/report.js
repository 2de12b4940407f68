"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("figures");
  const templates = read("templates");
  const swaps = read("swaps");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const phone = window.matchMedia("(max-width: 600px)");
  let printing = false;

  const draw = (name) => {
    const isDark = dark.matches && !printing;
    const template = templates[isDark ? "dark" : "light"];
    let text = JSON.stringify(figures[name]);
    if (isDark) for (const [old, brighter] of swaps) text = text.replaceAll(old, brighter);
    const figure = JSON.parse(text);
    const layout = { ...figure.layout, template, autosize: true };
    // The heading above the figure says the same, and a phone has no room for it twice.
    layout.title = { text: "" };
    const margin = layout.margin || {};
    layout.margin = { ...margin, t: Math.max((margin.t || 70) - 30, 30) };
    if (phone.matches) layout.margin = { ...layout.margin, l: 45, r: 8 };
    // Wider than the paper, and the browser shrinks the whole page until no table can be read.
    if (printing) Object.assign(layout, { autosize: false, width: 680 });
    const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
    return Plotly.react(document.getElementById(name), figure.data, layout, config);
  };
  const drawAll = () => Promise.all(Object.keys(figures).map(draw));

  drawAll().then(() => { document.documentElement.dataset.drawn = String(Object.keys(figures).length); });
  dark.addEventListener("change", drawAll);
  window.addEventListener("beforeprint", () => { printing = true; drawAll(); });
  window.addEventListener("afterprint", () => { printing = false; drawAll(); });
})();
