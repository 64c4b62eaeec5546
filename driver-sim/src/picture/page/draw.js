// The picture itself, and the map of the whole run below it.

function context(canvas) {
  const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

// Places for words, as boxes (left, top, right, bottom): all of them are taken, or none if
// something stands in one already.
function places() {
  const taken = [];
  return (...boxes) => {
    const meets = (b) => taken.some((t) => b[0] < t[2] && b[2] > t[0] && b[1] < t[3] && b[3] > t[1]);
    if (boxes.some(meets)) return false;
    taken.push(...boxes);
    return true;
  };
}

const font = (size, weight = 400) => `${weight} ${size}px ${css("--sans")}`;

function draw() {
  const g = context(canvas);
  Object.assign(box, { width: canvas.clientWidth, height: canvas.clientHeight });
  const free = places();
  drawAxis(g);
  g.save();
  g.beginPath();
  g.rect(box.left - 8, 0, box.width - box.left + 8, box.height);
  g.clip();
  drawCuts(g);
  drawPauses(g);
  drawSpans(g);
  drawWritings(g);
  const shown = visibleFlights();
  drawFlights(g, shown);
  drawFrames(g);
  drawTitles(g, free);
  drawWorld(g, free);
  drawChoosings(g);
  drawWords(g, shown, free);
  drawNow(g);
  g.restore();
  drawGutter(g);
}

function steps(span) {
  const raw = span / 7, power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= raw);
}

function drawAxis(g) {
  const step = steps(view.to - view.from);
  g.font = font(11);
  g.textBaseline = "middle";
  g.textAlign = "center";
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const px = Math.round(x(at)) + 0.5;
    if (px < box.left || px > box.width - box.right || at < -step / 2) continue;
    g.strokeStyle = css("--line");
    g.globalAlpha = 0.7;
    line(g, px, box.top - 12, px, box.height);
    g.globalAlpha = 1;
    g.fillStyle = css("--quiet");
    if (px > box.left + 12 && Math.abs(px - x(view.now)) > 92) g.fillText(label(at, step), px, 12);
  }
}

function label(at, step) {
  if (view.axis === axes.even) return "step " + Math.round(at + D.missing).toLocaleString("en");
  const digits = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  return (Math.max(at, 0) / 1000).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) + " ms";
}

function line(g, x0, y0, x1, y1) {
  g.beginPath();
  g.moveTo(x0, y0);
  g.lineTo(x1, y1);
  g.stroke();
}

// While links are cut, the ground is another.
function drawCuts(g) {
  for (const c of cuts) {
    const from = Math.max(x(view.axis.frame[c.first]), box.left - 8), to = Math.min(x(view.axis.end(c.end)), box.width);
    if (to < box.left || from > box.width) continue;
    g.fillStyle = css("--bad");
    g.globalAlpha = isDark() ? 0.07 : 0.055;
    g.fillRect(from, 22, to - from, box.height);
    g.globalAlpha = 0.75;
    g.fillRect(from, 22, to - from, 2);
    g.globalAlpha = 1;
  }
}

function drawPauses(g) {
  for (const p of pauses) {
    const from = x(view.axis.ofTime(p.from)), to = x(view.axis.ofTime(p.to));
    if (to < box.left || from > box.width) continue;
    const half = Math.min(spacing() * 0.36, 34);
    g.fillStyle = css("--sunk");
    g.fillRect(from, y(p.lane) - half, to - from, half * 2);
    words(g, "paused", Math.max(from, box.left) + 6, y(p.lane) - half + 9, css("--quiet"), to - Math.max(from, box.left) - 10);
  }
}

function words(g, text, px, py, ink, room) {
  if (room < g.measureText(text).width) return;
  g.fillStyle = ink;
  g.textAlign = "left";
  g.fillText(text, px, py);
}

const offset = (group) => (groups.indexOf(group) - (groups.length - 1) / 2) * 16;

function drawSpans(g) {
  g.textBaseline = "middle";
  for (const s of spans) {
    const from = Math.max(x(view.axis.frame[Math.max(s.first, 0)] ?? view.axis.last), box.left - 8);
    const to = Math.min(x(view.axis.end(s.end)), box.width);
    if (to < box.left || from > box.width || to <= from) continue;
    const middle = y(s.lane) + offset(s.group), tone = ballotColour(s.ballot);
    g.strokeStyle = tone;
    g.fillStyle = tone;
    if (s.role === "down") {
      g.fillStyle = g.strokeStyle = css("--bad");
      g.globalAlpha = 0.12;
      g.fillRect(from, middle - 8, to - from, 16);
      g.globalAlpha = 0.75;
      g.setLineDash([2, 5]);
      line(g, from, middle, to, middle);
      g.setLineDash([]);
      g.globalAlpha = 1;
      continue;
    }
    if (s.role === "following") {
      g.globalAlpha = s.ballot ? 0.8 : 0.9;
      g.fillRect(from, middle - (s.ballot ? 1.5 : 0.5), to - from, s.ballot ? 3 : 1);
      g.globalAlpha = 1;
      continue;
    }
    band(g, from, to, middle, s.role === "campaigning");
  }
}

// Who leads or campaigns at which ballot, above its band.
function drawTitles(g, free) {
  g.font = font(12, 700);
  g.textBaseline = "middle";
  g.textAlign = "left";
  for (const s of [...spans].reverse()) {
    if (s.role !== "leading" && s.role !== "campaigning") continue;
    const from = Math.max(x(view.axis.frame[Math.max(s.first, 0)] ?? view.axis.last), box.left), to = Math.min(x(view.axis.end(s.end)), box.width);
    const text = (s.role === "leading" ? "leads " : "asks for ") + s.ballot, width = g.measureText(text).width;
    const base = y(s.lane) + offset(s.group) - 17;
    if (to < box.left || from > box.width - width - 8 || (s.role === "campaigning" && to - from < width * 0.6)) continue;
    if (!free([from - 2, base - 7, from + 4 + width, base + 7])) continue;
    g.lineWidth = 4;
    g.lineJoin = "round";
    g.strokeStyle = css("--ground");
    g.strokeText(text, from + 1, base);
    words(g, text, from + 1, base, ballotColour(s.ballot), Infinity);
  }
  g.lineWidth = 1;
}

function band(g, from, to, middle, isHatched) {
  g.beginPath();
  g.roundRect(from, middle - 8, Math.max(to - from, 1.5), 16, Math.min(4, (to - from) / 2));
  g.globalAlpha = isHatched ? 0.18 : 0.92;
  g.fill();
  g.globalAlpha = 1;
  if (!isHatched) return;
  g.save();
  g.clip();
  g.lineWidth = 1.5;
  for (let at = from - 16; at < to; at += 6) line(g, at, middle + 8, at + 16, middle - 8);
  g.restore();
}

function drawWritings(g) {
  for (const w of writings) {
    const from = x(w.ordered < 0 ? view.axis.first : view.axis.frame[w.ordered]), to = x(view.axis.end(w.ended));
    if (to < box.left || from > box.width) continue;
    const top = y(w.lane) + 11 + offset(groups[groups.length - 1]);
    g.fillStyle = w.ended >= 0 && !w.durable ? css("--bad") : shade().disk;
    g.globalAlpha = 0.4;
    g.fillRect(from, top, Math.max(to - from, 1), 2);
    g.globalAlpha = 0.8;
    if (w.durable) g.fillRect(to - 1, top - 2, 1.5, 6);
    g.globalAlpha = 1;
  }
}

function drawFrames(g) {
  const from = Math.max(above(view.axis.frame, view.from) - 1, 0), to = above(view.axis.frame, view.to);
  const isCrowded = to - from > 2500;
  for (let i = from; i < to; i++) {
    const f = frames[i];
    if (f.lane < 0) continue;
    const px = x(view.axis.frame[i]), py = y(f.lane);
    if (f.what === "crashed") { cross(g, px, py); continue; }
    if (f.what === "started") { triangle(g, px, py, css("--good")); continue; }
    if (isCrowded || (f.flight && !isShown(f.flight))) continue;
    g.fillStyle = f.what === "asked" ? shade().client : f.flight ? colour(f.flight.name) : css("--soft");
    g.beginPath();
    if (f.what === "persisted") g.rect(px - 2, py - 2, 4, 4); else g.arc(px, py, f.what === "asked" ? 3.2 : 2.4, 0, 7);
    g.fill();
    g.strokeStyle = css("--ground");
    g.lineWidth = 0.8;
    g.stroke();
  }
  for (const f of [...view.hit].filter((h) => h.what)) if (f.lane >= 0) ring(g, f, css("--accent"));
  if (view.frame && view.frame.lane >= 0) ring(g, view.frame, css("--ink"));
}

function ring(g, f, ink) {
  g.strokeStyle = ink;
  g.lineWidth = 1.6;
  g.beginPath();
  g.arc(x(view.axis.frame[f.i]), y(f.lane), 6.5, 0, 7);
  g.stroke();
}

function cross(g, px, py) {
  g.fillStyle = css("--ground");
  g.beginPath();
  g.arc(px, py, 9, 0, 7);
  g.fill();
  g.strokeStyle = css("--bad");
  g.lineWidth = 2.4;
  line(g, px - 5, py - 5, px + 5, py + 5);
  line(g, px - 5, py + 5, px + 5, py - 5);
  g.lineWidth = 1;
}

function triangle(g, px, py, tone) {
  g.fillStyle = tone;
  g.beginPath();
  g.moveTo(px - 3, py - 6);
  g.lineTo(px + 6, py);
  g.lineTo(px - 3, py + 6);
  g.fill();
}

function drawWorld(g, free) {
  const shown = notable.filter((f) => f.lane < 0).map((f) => [f, Math.round(x(view.axis.frame[f.i])) + 0.5])
    .filter(([, px]) => px >= box.left && px <= box.width - box.right + 1);
  const isBad = (f) => f.what === "broken" || f.words.startsWith("the network is cut");
  for (const [f, px] of shown) {
    g.strokeStyle = isBad(f) ? css("--bad") : css("--soft");
    g.lineWidth = f.what === "broken" ? 2 : 1;
    g.setLineDash(f.what === "broken" ? [] : [4, 4]);
    line(g, px, 22, px, box.height);
  }
  g.setLineDash([]);
  g.font = font(11.5, 650);
  g.textAlign = "left";
  g.textBaseline = "middle";
  g.lineWidth = 4;
  g.strokeStyle = css("--ground");
  // A cut that began before the window is named at its edge.
  const edge = cuts.filter((c) => x(view.axis.frame[c.first]) < box.left && x(view.axis.end(c.end)) > box.left + 40);
  for (const [f, px] of [...edge.map((c) => [frames[c.first], box.left - 3]), ...shown]) {
    const full = f.what === "broken" ? f.words.split(":")[0] : tell(f), text = full.length > 44 ? full.slice(0, 43) + "…" : full;
    const width = g.measureText(text).width, left = Math.min(px + 6, box.width - width - 8);
    const base = [34, 48].find((base) => free([left - 3, base - 7, left + width + 6, base + 7]));
    if (!base) continue;
    g.strokeText(text, left, base);
    g.fillStyle = isBad(f) ? css("--bad") : css("--soft");
    g.fillText(text, left, base);
  }
  g.lineWidth = 1;
}

// Slots along the top, where someone first knows that they are chosen.
function drawChoosings(g) {
  g.font = font(11, 700);
  g.textAlign = "center";
  let right = -1e9;
  for (const c of choosings) {
    const px = x(view.axis.frame[c.frame]);
    if (px < box.left || px > box.width - box.right) continue;
    const isLit = view.slot === c.slot;
    g.fillStyle = shade().chosen;
    g.globalAlpha = isLit || view.slot === null ? 0.9 : 0.3;
    g.fillRect(px - 1, 70, 2, 8);
    const text = String(c.slot), width = g.measureText(text).width;
    if (px - width / 2 > right + 4) {
      g.fillText(text, px, 63);
      right = px + width / 2;
    }
  }
  g.globalAlpha = 1;
}

function drawNow(g) {
  const px = Math.round(x(view.now)) + 0.5;
  if (px < box.left - 4 || px > box.width) return;
  g.strokeStyle = css("--accent");
  line(g, px, 20, px, box.height);
  const text = ms(frames[Math.max(frameNow(), 0)]?.at ?? begin);
  g.font = font(11, 600);
  const half = g.measureText(text).width / 2 + 7, middle = Math.min(Math.max(px, box.left + half), box.width - half);
  g.fillStyle = css("--accent");
  g.beginPath();
  g.roundRect(middle - half, 3, half * 2, 18, 5);
  g.fill();
  g.fillStyle = isDark() ? "#10131a" : "#fff";
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.fillText(text, middle, 12.5);
}

function drawGutter(g) {
  g.textBaseline = "middle";
  g.textAlign = "left";
  g.fillStyle = css("--quiet");
  g.font = font(10.5);
  if (choosings.length) g.fillText("chosen", 20, 64);
  D.nodes.forEach((_, lane) => {
    const state = portrait(lane), first = state && state !== "down" ? state.groups[0] : null;
    g.fillStyle = css("--ink");
    g.font = font(15, 650);
    g.fillText(node(lane), 20, y(lane) - 7);
    const isLeading = first?.standing === "leader";
    g.font = font(11.5, isLeading || state === "down" ? 650 : 400);
    g.fillStyle = state === "down" ? css("--bad") : isLeading ? ballotColour(first.ballot) : css("--soft");
    g.fillText(state === "down" ? "down" : first ? first.standing : "", 20, y(lane) + 9);
    if (view.lane === lane) {
      g.fillStyle = css("--accent");
      g.fillRect(8, y(lane) - 16, 3, 34);
    }
  });
}

function drawMap() {
  const g = context(map), width = map.clientWidth, height = map.clientHeight, { first, last } = view.axis;
  const at = (place) => 20 + ((place - first) / (last - first)) * (width - 40);
  const bins = new Float64Array(Math.ceil((width - 40) / 3) + 1);
  for (let i = 0; i < frames.length; i++) bins[Math.floor((at(view.axis.frame[i]) - 20) / 3)]++;
  const most = Math.max(...bins, 1);
  g.fillStyle = css("--faint");
  bins.forEach((n, i) => { const h = Math.sqrt(n / most) * (height - 28); g.fillRect(20 + i * 3, height - 10 - h, 2, h); });
  for (const c of cuts) {
    g.fillStyle = css("--bad");
    g.globalAlpha = 0.13;
    const from = at(view.axis.frame[c.first]);
    g.fillRect(from, 2, Math.max(at(view.axis.end(c.end)) - from, 1), height - 12);
    g.globalAlpha = 1;
  }
  for (const s of leaderships) {
    g.fillStyle = ballotColour(s.ballot);
    const from = at(view.axis.frame[Math.max(s.first, 0)]);
    g.fillRect(from, height - 9, Math.max(at(view.axis.end(s.end)) - from, 1), 6);
  }
  for (const f of notable) {
    if (f.what === "started" || f.what === "paused") continue;
    g.fillStyle = f.what === "world" ? css("--soft") : css("--bad");
    g.fillRect(at(view.axis.frame[f.i]) - 0.5, 6, f.what === "broken" ? 2.5 : 1.2, f.what === "world" ? 6 : 10);
  }
  g.fillStyle = css("--accent");
  for (const h of view.hits) g.fillRect(at(hitPlace(h)) - 1, height - 18, 2, 6);
  g.globalAlpha = 0.13;
  const from = at(view.from), to = Math.max(at(view.to), from + 4);
  g.fillRect(from, 2, to - from, height - 4);
  g.globalAlpha = 1;
  g.strokeStyle = css("--accent");
  g.strokeRect(from + 0.5, 2.5, to - from - 1, height - 5);
  line(g, at(view.now), 2, at(view.now), height - 2);
}
