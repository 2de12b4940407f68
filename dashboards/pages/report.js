"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("figures");
  const templates = read("templates");
  const swaps = read("swaps");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const phone = window.matchMedia("(max-width: 600px)");
  // Points of the paper: a third of a page for a figure beside others, a page for a broad one.
  const PAPER = { part: 224, whole: 690 };
  let printing = false;

  const draw = (name) => {
    const place = document.getElementById(name);
    const [look = ""] = ["square", "broad"].filter((one) => place.parentElement.classList.contains(one));
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
    if (look === "square") layout.height = place.clientWidth;
    // A phone and a third of a page have no room for a legend within the axes: it stands below them, and the figure is higher by its lines.
    const lower = (line) => {
      if (look !== "square" || !layout.legend) return;
      const named = figure.data.filter((one) => one.showlegend !== false && one.name);
      const foot = Math.round(line * (1.2 + named.reduce((lines, one) => lines + one.name.split("<br>").length, 0)));
      layout.height += foot;
      layout.margin = { ...layout.margin, b: 2.8 * line + foot };
      layout.legend = { ...layout.legend, x: 0, xanchor: "left", yref: "container", y: 0, yanchor: "bottom" };
    };
    if (phone.matches && !printing) lower(18);
    if (printing) {
      // Wider than the paper, and the browser shrinks the whole page until no table can be read.
      const width = look === "broad" ? PAPER.whole : PAPER.part;
      // Several rows of panels need more height than one.
      const most = look === "broad" ? Math.max(300, 0.6 * (layout.height || 420)) : 240;
      const height = look === "square" ? width : Math.min(layout.height || 420, most);
      Object.assign(layout, { autosize: false, width, height });
      layout.font = { ...(layout.font || {}), size: 8 };
      const foot = (layout.legend || {}).yref === "container" ? 52 : 36;
      layout.margin = { ...layout.margin, l: 42, r: 6, b: foot };
      layout.annotations = (layout.annotations || []).map((one) => ({ ...one, font: { ...(one.font || {}), size: 8 } }));
      lower(11);
    }
    place.style.height = `${layout.height || 420}px`;
    if (look === "square") place.style.aspectRatio = "auto";
    const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
    return Plotly.react(place, figure.data, layout, config);
  };
  // What is folded has no width yet: it is drawn when it is unfolded.
  const isShown = (name) => !document.getElementById(name).closest("details:not([open])");
  const drawShown = () => Promise.all(Object.keys(figures).filter(isShown).map(draw));

  // A table that only tells breaks its lines; what is still wider than its place says so.
  const hint = () => {
    for (const one of document.querySelectorAll(".wide, figure.broad"))
      one.classList.toggle("overflows", one.scrollWidth > one.clientWidth + 1);
  };
  new ResizeObserver(hint).observe(document.body);

  const note = () => {
    hint(); document.documentElement.dataset.drawn = String(document.querySelectorAll(".plot.js-plotly-plot").length); };
  drawShown().then(note);
  for (const folded of document.querySelectorAll("main details")) folded.addEventListener("toggle", () => drawShown().then(note));
  if (phone.matches) for (const contents of document.querySelectorAll("nav details")) contents.open = false;
  dark.addEventListener("change", drawShown);
  // Back from paper, what was folded is folded again.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    printing = true;
    opened = [...document.querySelectorAll("main details:not([open])")];
    for (const folded of opened) folded.open = true;
    drawShown();
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    for (const folded of opened) folded.open = false;
    drawShown();
  });
  // A link into what is folded unfolds it.
  window.addEventListener("hashchange", () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && target.closest("details");
    if (folded) { folded.open = true; target.scrollIntoView(); }
  });
})();
