"use strict";
// Live by server-sent events; where there are none to be had, the page asks now and then. Nothing is evaluated.
(() => {
  const AGAIN = 15000;
  const now = document.getElementById("now");
  const live = document.getElementById("live");
  let source = null, waiting = null, shown = null;
  // Clocks differ: times are told by the database's.
  const offset = Date.now() - Date.parse(now.dataset.now);

  const say = (text) => { if (live.textContent !== text) live.textContent = text; };

  const ago = (seconds) => seconds < 90 ? `${Math.max(0, Math.round(seconds))} s ago`
    : seconds < 5400 ? `${Math.round(seconds / 60)} min ago`
    : seconds < 129600 ? `${(seconds / 3600).toFixed(1)} h ago` : `${(seconds / 86400).toFixed(1)} days ago`;

  const tick = () => {
    for (const time of now.querySelectorAll("time")) {
      const text = ago((Date.now() - offset - Date.parse(time.dateTime)) / 1000);
      if (!time.title) time.title = time.textContent;
      if (time.textContent !== text) time.textContent = text;
    }
  };

  const show = (text) => {
    if (text === shown) return;
    shown = text;
    // Who reads with the keyboard stays at the same link.
    const held = document.activeElement && now.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    now.innerHTML = text;
    if (held) {
      const again = [...now.querySelectorAll("a")].find((link) => link.getAttribute("href") === held);
      if (again) again.focus({ preventScroll: true });
    }
    const said = document.getElementById("said");
    if (said) document.title = `orch: ${said.textContent}`;
    tick();
  };

  const ask = async () => {
    waiting = null;
    try {
      const answer = await fetch("/orch/now", { headers: { Accept: "text/html" }, redirect: "manual" });
      if (!answer.ok) { location.reload(); return; }
      show(await answer.text());
      say("Refreshed every 15 seconds.");
    } catch { say("The dashboard does not answer. Trying again every 15 seconds."); }
    open();
  };

  const later = () => { if (waiting === null) waiting = setTimeout(ask, AGAIN); };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource("/orch/events");
    source.onmessage = (event) => {
      if (waiting !== null) { clearTimeout(waiting); waiting = null; }
      show(event.data);
      say("Live.");
    };
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) { source = null; later(); }
      else say("Connecting again.");
    };
  };

  const close = () => { if (source) { source.close(); source = null; } };

  // A browser opens few connections to one server: a page that nobody looks at takes none.
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  tick();
  setInterval(tick, 1000);
  open();
})();
