// Keeps the page of a run up to date while it is looked at; all is there to read without it.
"use strict";
const main = document.getElementById("main");
const places = new Map();
for (const place of document.querySelectorAll("[data-live]")) {
  const name = place.dataset.live;
  places.set(name, [...(places.get(name) ?? []), place]);
}
let moment = main.dataset.moment;
let source = null;
let waits = false;

// What comes is text and stays text; only the chart is markup, made and escaped by the server.
const tell = (news) => {
  for (const [name, text] of Object.entries(news.texts)) {
    for (const place of places.get(name) ?? []) if (place.textContent !== text) place.textContent = text;
  }
  for (const state of document.querySelectorAll(".state")) state.className = `state ${news.state}`;
  for (const bar of document.querySelectorAll("[data-live-value]")) {
    bar.max = news.values[`${bar.dataset.liveValue}-most`];
    bar.value = news.values[bar.dataset.liveValue];
  }
  for (const [name, [text, shade]] of Object.entries(news.cells)) {
    const cell = document.querySelector(`[data-cell="${name}"]`);
    if (cell) {
      cell.textContent = text;
      cell.className = `cell l${shade}`;
    }
  }
  if (news.chart) redraw();
};

const say = (words) => {
  const said = document.getElementById("gone");
  said.textContent = words;
  said.hidden = words === "";
};

const redraw = async () => {
  if (waits) return;
  waits = true;
  try {
    const answer = await fetch(main.dataset.chart);
    const drawn = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("svg");
    if (answer.ok && drawn.length) document.getElementById("chart").replaceChildren(...drawn);
  } catch {
    // The server went away; the stream will say so.
  }
  setTimeout(() => { waits = false; }, 1000);
};

const listen = () => {
  if (source || document.hidden) return;
  source = new EventSource(`${main.dataset.events}?since=${encodeURIComponent(moment)}`);
  source.addEventListener("standing", (event) => {
    moment = event.lastEventId;
    say("");
    tell(JSON.parse(event.data));
  });
  source.addEventListener("gone", (event) => say(JSON.parse(event.data).said));
  // Another run is in its place: its page has other issues.
  source.addEventListener("other", () => location.reload());
  source.addEventListener("error", () => {
    say("Not connected: these numbers are old.");
    if (source?.readyState !== EventSource.CLOSED) return;
    // Refused, as where too many pages are open: a browser does not ask again by itself.
    source = null;
    setTimeout(listen, 10000);
  });
  source.addEventListener("open", () => say(""));
};

// A browser holds few connections to one server: tabs that nobody sees let theirs go.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  source?.close();
  source = null;
});
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    source = null;
    listen();
  }
});
listen();
