// What a person does: mouse, keys, fields; and how the page begins.

const pointer = { x: 0, from: 0, to: 0, isDown: false, moved: 0 };

function near(px, py) {
  let best = null, distance = 9;
  const from = Math.max(above(view.axis.frame, placeAt(px - 10)) - 1, 0), to = above(view.axis.frame, placeAt(px + 10));
  for (let i = from; i < to; i++) {
    const f = frames[i];
    const away = f.lane < 0 ? Math.abs(x(view.axis.frame[i]) - px) + (py < 40 ? 0 : 6) : Math.hypot(x(view.axis.frame[i]) - px, y(f.lane) - py);
    if (f.lane >= 0 && f.flight && !isShown(f.flight)) continue;
    if (away < distance) { distance = away; best = { frame: f }; }
  }
  if (best) return best;
  distance = 6;
  for (const f of visibleFlights()) {
    const [x0, y0, x1, y1] = ends(f), dx = x1 - x0, dy = y1 - y0;
    const t = Math.min(Math.max(((px - x0) * dx + (py - y0) * dy) / (dx * dx + dy * dy || 1), 0), 1);
    const away = Math.hypot(px - x0 - t * dx, py - y0 - t * dy);
    if (away < distance) { distance = away; best = { flight: f }; }
  }
  return best;
}

canvas.addEventListener("pointerdown", (e) => {
  Object.assign(pointer, { x: e.offsetX, from: view.from, to: view.to, isDown: true, moved: 0 });
  canvas.setPointerCapture(e.pointerId);
  $("tip").hidden = true;
});
canvas.addEventListener("pointermove", (e) => {
  if (!pointer.isDown) return hover(e);
  pointer.moved = Math.max(pointer.moved, Math.abs(e.offsetX - pointer.x));
  if (pointer.moved < 4) return;
  canvas.classList.add("drag");
  const by = ((pointer.x - e.offsetX) / (box.width - box.left - box.right)) * (pointer.to - pointer.from);
  Object.assign(view, { from: pointer.from + by, to: pointer.to + by });
  clamp();
  redraw();
});
canvas.addEventListener("pointerup", (e) => {
  pointer.isDown = false;
  canvas.classList.remove("drag");
  if (pointer.moved >= 4) return;
  const found = near(e.offsetX, e.offsetY);
  if (found?.frame) return lookAt(found.frame);
  const lane = Math.floor((e.offsetY - box.top) / spacing());
  if (found?.flight) Object.assign(view, { flight: found.flight, frame: null });
  else {
    Object.assign(view, { flight: null, frame: null });
    if (e.offsetX >= box.left) view.now = placeAt(e.offsetX);
    if (lane >= 0 && lane < D.nodes.length) view.lane = lane;
  }
  redraw();
});
canvas.addEventListener("wheel", (e) => {
  e.preventDefault();
  if (Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey) {
    const by = ((e.deltaX || e.deltaY) / box.width) * (view.to - view.from);
    Object.assign(view, { from: view.from + by, to: view.to + by });
    clamp();
    redraw();
  } else zoom(Math.exp(e.deltaY * 0.0016), placeAt(e.offsetX));
}, { passive: false });
canvas.addEventListener("pointerleave", () => { $("tip").hidden = true; if (view.hover) { view.hover = null; redraw(); } });

function hover(e) {
  const found = near(e.offsetX, e.offsetY), box = $("tip"), flight = found?.flight ?? null;
  if (view.hover !== flight) { view.hover = flight; redraw(); }
  box.hidden = !found;
  if (!found) return;
  const f = found.frame;
  box.replaceChildren(...(f
    ? [element("b", {}, `${f.lane < 0 ? "" : node(f.lane) + " "}${f.what} `), element("span", {}, ms(f.at)), element("br"), element("code", {}, f.words)]
    : [element("b", {}, `${node(flight.from)} → ${node(flight.to)} `), element("span", {}, flight.fate), element("br"), element("code", {}, flight.words)]));
  const left = e.offsetX + 16 + box.offsetWidth > canvas.clientWidth ? e.offsetX - box.offsetWidth - 12 : e.offsetX + 16;
  box.style.transform = `translate(${Math.max(left, 4)}px, ${Math.min(e.offsetY + 14, canvas.clientHeight - box.offsetHeight - 6)}px)`;
}

function mapTo(e) {
  const { first, last } = view.axis, span = view.to - view.from;
  const place = first + ((e.offsetX - 20) / (map.clientWidth - 40)) * (last - first);
  Object.assign(view, { from: place - span / 2, to: place + span / 2, now: Math.min(Math.max(place, first), last) });
  clamp();
  redraw();
}
map.addEventListener("pointerdown", (e) => { map.setPointerCapture(e.pointerId); mapTo(e); });
map.addEventListener("pointermove", (e) => { if (e.buttons) mapTo(e); });

function step(by) {
  const isSame = by.same && view.lane !== null, list = isSame ? ofLane[view.lane] : null;
  const now = view.frame ? view.frame.i : frameNow();
  if (list) {
    const at = above(list, now) - 1;
    return lookAt(frames[list[Math.min(Math.max(at + by.count, 0), list.length - 1)]]);
  }
  for (let i = now + by.count; i >= 0 && i < frames.length; i += by.count) {
    if (!frames[i].flight || isShown(frames[i].flight)) return lookAt(frames[i]);
  }
}

function setAxis(axis) {
  const now = Math.max(frameNow(), 0), count = Math.max(above(view.axis.frame, view.to) - above(view.axis.frame, view.from), 20);
  view.axis = axis;
  view.now = axis.frame[now] ?? 0;
  windowAround(now, count);
  $("even").textContent = axis === axes.even ? "every step" : "to scale";
  $("even").classList.toggle("on", axis === axes.even);
  redraw();
}

function setTheme(isDark) {
  document.documentElement.classList.toggle("dark", isDark);
  sheet.clear();
  drawKinds();
  redraw();
}

const hitPlace = (hit) => (hit.what ? view.axis.frame[hit.i] : view.axis.head[hit.k]);

function find() {
  const wanted = view.query.toLowerCase();
  const has = (f) => f.words.toLowerCase().includes(wanted) || f.effects.some((e) => W[e].toLowerCase().includes(wanted));
  view.hits = wanted ? [...frames.filter(has), ...flights.filter((f) => missed(f) && f.words.toLowerCase().includes(wanted))] : [];
  view.hits.sort((a, b) => hitPlace(a) - hitPlace(b));
  view.hit = new Set(view.hits);
  $("hits").value = wanted ? view.hits.length.toLocaleString("en") + " hits" : "";
  redraw();
}

function nextHit(by) {
  const places = view.hits.map(hitPlace);
  const at = by > 0 ? above(places, view.now + 1e-9) : above(places, view.now - 1e-9) - 1;
  const hit = view.hits[(at + places.length) % (places.length || 1)];
  if (!hit) return;
  if (hit.what) return lookAt(hit);
  Object.assign(view, { flight: hit, frame: null, now: hitPlace(hit) });
  centre(view.now);
  redraw();
}

// The next of these frames, or the one before; around the end.
function nextOf(list, by) {
  const places = list.map((i) => view.axis.frame[i]);
  const at = by > 0 ? above(places, view.now + 1e-9) : above(places, view.now - 1e-9) - 1;
  if (list.length) lookAt(frames[list[(at + list.length) % list.length]]);
}
const hurts = notable.filter((f) => f.what !== "started").map((f) => f.i), reigns = leaderships.map((s) => Math.max(s.first, 0));

function play(isOn = !view.playing) {
  view.playing = isOn;
  $("play").textContent = isOn ? "❚❚" : "▶";
  let before = performance.now();
  const tick = (now) => {
    if (!view.playing) return;
    // A window takes eight seconds.
    view.now += ((view.to - view.from) * (now - before)) / 8000;
    before = now;
    view.frame = null;
    if (view.now > view.axis.last) { view.now = view.axis.last; play(false); }
    const ahead = view.now - (view.from + (view.to - view.from) * 0.75);
    if (ahead > 0) { view.from += ahead; view.to += ahead; clamp(); }
    redraw();
    requestAnimationFrame(tick);
  };
  if (isOn) requestAnimationFrame(tick);
}

function toggleBeats() {
  const beats = ["Heartbeat", "HeartbeatAck"], isOff = beats.every((name) => view.hidden.has(name));
  beats.forEach((name) => (isOff ? view.hidden.delete(name) : view.hidden.add(name)));
  drawKinds();
  redraw();
}

const keys = {
  ArrowLeft: (e) => step({ count: -1, same: e.shiftKey }), ArrowRight: (e) => step({ count: 1, same: e.shiftKey }),
  ArrowUp: () => { view.lane = Math.max((view.lane ?? 1) - 1, 0); redraw(); },
  ArrowDown: () => { view.lane = Math.min((view.lane ?? -1) + 1, D.nodes.length - 1); redraw(); },
  "+": () => zoom(0.7, view.now), "=": () => zoom(0.7, view.now), "-": () => zoom(1.4, view.now),
  0: () => { Object.assign(view, { from: view.axis.first, to: view.axis.last }); clamp(); redraw(); },
  " ": () => play(), "/": () => $("query").select(), s: () => $("slot").select(), n: () => nextHit(1), N: () => nextHit(-1),
  h: toggleBeats, e: () => setAxis(view.axis === axes.even ? axes.scale : axes.even), c: () => nextOf(hurts, 1), C: () => nextOf(hurts, -1),
  l: () => nextOf(reigns, 1), L: () => nextOf(reigns, -1), o: lookAtOpening, Home: () => lookAt(frames[0]), End: () => lookAt(frames[frames.length - 1]),
  t: () => setTheme(!isDark()), "?": () => $("keys").showModal(),
  Escape: () => { Object.assign(view, { frame: null, flight: null, lane: null }); redraw(); },
};
addEventListener("keydown", (e) => {
  if (e.target.tagName === "INPUT") {
    if (e.key === "Escape" || e.key === "Enter") { e.target.blur(); if (e.key === "Enter" && e.target.id === "query") nextHit(1); }
    return;
  }
  if (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key] || $("keys").open) return;
  e.preventDefault();
  keys[e.key](e);
});
$("query").addEventListener("input", (e) => { view.query = e.target.value.trim(); find(); });
$("slot").addEventListener("input", (e) => {
  const text = e.target.value.trim();
  view.slot = /^\d+$/.test(text) ? Number(text) : null;
  redraw();
});
for (const id of ["even", "play", "theme", "help"]) $(id).addEventListener("click", (e) => { keys[{ even: "e", play: " ", theme: "t", help: "?" }[id]](e); e.target.blur(); });
addEventListener("resize", redraw);

function start() {
  document.title = D.title;
  $("title").textContent = D.title;
  $("facts").replaceChildren(...D.facts.flatMap(([name, value], i) => [i ? " · " : "", element("b", {}, /^\d{4,9}$/.test(value) ? Number(value).toLocaleString("en") : value), " " + name]));
  if (D.broken) {
    $("broken").hidden = false;
    $("broken").textContent = D.broken;
    $("broken").addEventListener("click", () => lookAt(frames.find((f) => f.what === "broken")));
  }
  const beats = flights.filter((f) => family[f.name] === "beat").length;
  if (beats * 4 > flights.length && beats < flights.length) view.hidden = new Set(["Heartbeat", "HeartbeatAck"]);
  const theme = new URLSearchParams(location.search).get("theme");
  document.documentElement.classList.toggle("dark", theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  sheet.clear();
  lookAtOpening();
  drawKinds();
  redraw();
}
start();
