"use strict";
// Runs before optuna-dashboard's own script, on its page. Nothing is evaluated, nothing is asked of another server.
(() => {
  const access = document.getElementById("orch").dataset.access;
  const root = document.documentElement;
  root.dataset.orchAccess = access;
  const CHANGING = new Set(["Create", "Edit", "Upload", "Upload a New File", "Fail Trial"]);
  const INSTEAD = "Optuna's own importance is not shown: it does not say what chance alone gives. orch's figure of importance on this page does, "
    + "and tells nothing where there are too few trials.";
  let summaries = {};

  // What the server refuses says why, whatever the page makes of it.
  const ask = window.fetch.bind(window);
  window.fetch = async (...request) => {
    const answer = await ask(...request);
    if (answer.status === 403) {
      answer.clone().json().then((said) => tell(String(said.reason || "Refused.")), () => {});
    } else if (answer.status === 401) location.reload();
    return answer;
  };

  const tell = (text) => {
    document.querySelector(".orch-said")?.remove();
    const said = document.createElement("div");
    said.className = "orch-said";
    said.setAttribute("role", "alert");
    said.textContent = text;
    document.body.append(said);
    setTimeout(() => said.remove(), 12000);
  };

  const element = (name, text) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const describe = (study) => {
    const card = element("div");
    card.className = "orch-summary";
    const bar = element("progress");
    bar.max = study.planned || 1;
    bar.value = study.settled;
    bar.setAttribute("aria-label", `${study.settled} of ${study.planned} trials of ${study.name} finished`);
    const failed = study.failed ? `, ${study.failed} failed` : "";
    card.append(element("div", `${study.state}: ${study.settled} of ${study.planned} trials finished${failed}`), bar);
    if (study.best_trial !== null) {
      const line = element("div");
      line.append("best ", element("b", study.best), ` ${study.metric} (trial ${study.best_trial}); corrected for selection: ${study.corrected}`);
      card.append(line);
    }
    return card;
  };

  const annotate = () => {
    for (const link of document.querySelectorAll('main a[href*="/dashboard/studies/"]')) {
      const found = /\/dashboard\/studies\/(\d+)$/.exec(link.getAttribute("href"));
      const study = found && summaries[found[1]];
      const place = link.querySelector(".MuiCardContent-root");
      if (!study || !place) continue;
      const key = JSON.stringify(study);
      const there = place.querySelector(".orch-summary");
      if (there && there.dataset.key === key) continue;
      const made = describe(study);
      made.dataset.key = key;
      if (there) there.replaceWith(made); else place.append(made);
    }
    if (access === "read") {
      for (const button of document.querySelectorAll("button:not([data-orch-hidden])"))
        if (CHANGING.has(button.textContent.trim())) button.dataset.orchHidden = "";
    }
    const graph = document.getElementById("graph-hyperparameter-importances");
    const card = graph && graph.closest(".MuiCardContent-root");
    if (card && !card.querySelector(".orch-instead")) {
      const said = element("p", INSTEAD);
      said.className = "orch-instead";
      card.append(said);
      graph.style.display = "none";
    }
  };

  const bar = () => {
    if (document.querySelector(".orch-bar")) return;
    const nav = element("nav");
    nav.className = "orch-bar";
    nav.setAttribute("aria-label", "orch");
    const start = element("a", "workers and studies");
    start.href = "/";
    nav.append(start);
    const found = /^\/dashboard\/studies\/(\d+)/.exec(location.pathname);
    const study = found && summaries[found[1]];
    if (study && study.report) {
      const report = element("a", "report");
      report.href = study.report;
      nav.append(report);
    }
    if (access === "read") nav.append(element("span", "read-only (--allow-edit lets changes through)"));
    document.body.append(nav);
  };

  const follow = () => {
    // The page has its own switch between light and dark.
    const parts = (getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g) || []).map(Number);
    if (parts.length < 3 || parts[3] === 0) return;
    const theme = parts[0] + parts[1] + parts[2] < 384 ? "dark" : "light";
    if (root.dataset.orchTheme !== theme) root.dataset.orchTheme = theme;
  };

  let isDue = false;
  const soon = () => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => { isDue = false; follow(); annotate(); }, 100);
  };

  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await ask("/orch/studies.json");
      if (answer.ok) { summaries = await answer.json(); document.querySelector(".orch-bar")?.remove(); bar(); soon(); }
    } catch { /* The page itself says that the server is away. */ }
  };

  bar();
  refresh();
  setInterval(refresh, 15000);
  new MutationObserver(soon).observe(root, { subtree: true, childList: true });
})();
