// Messages: their arrows, where they are lost, and what they say.

function visibleFlights() {
  const { head, tail } = view.axis;
  return flights.filter((f) => tail[f.k] >= view.from && head[f.k] <= view.to && isShown(f));
}

function ends(f) {
  const { head, tail } = view.axis;
  const up = f.to > f.from ? 1 : -1, gap = 9;
  const x0 = x(head[f.k]), y0 = y(f.from) + up * gap, x1 = x(tail[f.k]), y1 = y(f.to) - up * gap;
  // A lost one does not get far; one that nobody saw leave comes from nowhere.
  const part = Math.min(0.5, (spacing() * 0.36) / (Math.abs(y1 - y0) || 1));
  if (missed(f)) return [x0, y0, x0 + (x1 - x0) * part, y0 + (y1 - y0) * part];
  if (f.sent < 0 && f.ended >= 0) return [x0 + (x1 - x0) * 0.6, y0 + (y1 - y0) * 0.6, x1, y1];
  return [x0, y0, x1, y1];
}

function isMarked(f) {
  return f === view.flight || (view.frame && (view.frame.flight === f || view.frame.sent.includes(f)));
}

const isAside = { client: true, beat: true, undefined: true };

function drawFlights(g, shown) {
  const isCrowded = shown.length > 1500, isDimmed = view.flight || (view.frame && (view.frame.flight || view.frame.sent.length));
  const byStyle = new Map();
  for (const f of shown) {
    const key = family[f.name] + "|" + colour(f.name) + (f.twin || f.sent < 0 ? "|dashed" : missed(f) || f.fate === "nobody home" ? "|lost" : "|plain");
    if (!byStyle.has(key)) byStyle.set(key, []);
    byStyle.get(key).push(f);
  }
  for (const [key, list] of byStyle) {
    const [kind, tone, style] = key.split("|");
    g.strokeStyle = tone;
    g.lineWidth = isCrowded ? 0.7 : 1.2;
    g.setLineDash(style === "dashed" ? [6, 3] : style === "lost" ? [2, 3] : []);
    // What clients and the living say to each other stands back behind ballots and votes.
    g.globalAlpha = (isCrowded ? 0.35 : 0.85) * (isDimmed ? 0.6 : 1) * (isAside[kind] && !isCrowded ? 0.5 : 1);
    g.beginPath();
    for (const f of list) {
      const [x0, y0, x1, y1] = ends(f);
      g.moveTo(x0, y0);
      g.lineTo(x1, y1);
    }
    g.stroke();
    g.setLineDash([]);
    if (!isCrowded) for (const f of list) tip(g, f, tone);
  }
  g.globalAlpha = 1;
  for (const f of shown.filter((f) => isMarked(f) || f === view.hover || view.hit.has(f))) {
    const [x0, y0, x1, y1] = ends(f);
    g.strokeStyle = colour(f.name);
    g.lineWidth = 2.6;
    line(g, x0, y0, x1, y1);
    tip(g, f, colour(f.name));
  }
  g.lineWidth = 1;
}

// The head of an arrow, or the cross where a message is lost.
function tip(g, f, tone) {
  const [x0, y0, x1, y1] = ends(f);
  if (x1 < box.left - 8 || x1 > box.width + 8) return;
  if (missed(f) || f.fate === "nobody home") {
    g.save();
    g.strokeStyle = css("--bad");
    g.lineWidth = 1.5;
    line(g, x1 - 3.5, y1 - 3.5, x1 + 3.5, y1 + 3.5);
    line(g, x1 - 3.5, y1 + 3.5, x1 + 3.5, y1 - 3.5);
    g.restore();
    return;
  }
  if (f.fate !== "arrived") return;
  const angle = Math.atan2(y1 - y0, x1 - x0);
  g.fillStyle = tone;
  g.beginPath();
  g.moveTo(x1, y1);
  g.lineTo(x1 - 7 * Math.cos(angle - 0.38), y1 - 7 * Math.sin(angle - 0.38));
  g.lineTo(x1 - 7 * Math.cos(angle + 0.38), y1 - 7 * Math.sin(angle + 0.38));
  g.fill();
}

// What messages say, along their arrows, as far as there is room: ballots and votes before what
// clients say, and once for all that say the same to many.
const rank = { promise: 0, reject: 1, accept: 2, chosen: 3, probe: 4, fetch: 5 };

function drawWords(g, shown, free) {
  if (shown.length > 400) return;
  g.font = `11px ${css("--mono")}`;
  g.textBaseline = "middle";
  g.textAlign = "center";
  g.lineJoin = "round";
  const order = (f) => (isMarked(f) ? -1 : missed(f) ? 7 : rank[family[f.name]] ?? 6), told = new Set();
  for (const f of [...shown].sort((a, b) => order(a) - order(b) || (b.first >= 0) - (a.first >= 0))) {
    const key = f.sent + " " + f.brief;
    if (shown.length > 160 && order(f) > 5) break;
    if (!told.has(key) && wordsAlong(g, f, free)) told.add(key);
  }
}

function wordsAlong(g, f, free) {
  const [x0, y0, x1, y1] = ends(f), length = Math.hypot(x1 - x0, y1 - y0), angle = Math.atan2(y1 - y0, x1 - x0);
  const text = [f.brief, f.brief.replace(/ @\S+/g, ""), `${f.name} ${f.ballot}`.trim(), f.name].find((t) => t.length * 6.7 + 24 < length);
  if (!text || x1 < x0 || Math.abs(angle) > 1.35) return false;
  const half = text.length * 3.35, side = angle > 0 ? 8 : -7, boxes = [];
  const middle = [(x0 + x1) / 2, (y0 + y1) / 2], [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (let at = -half; at <= half + 5; at += 10) {
    const px = middle[0] + at * cos - side * sin, py = middle[1] + at * sin + side * cos;
    boxes.push([px - 6, py - 6, px + 6, py + 6]);
  }
  const isInside = boxes.every(([left, , right]) => left > box.left && right < box.width - box.right);
  if (!isInside || !free(...boxes)) return false;
  g.save();
  g.translate(...middle);
  g.rotate(angle);
  g.lineWidth = 4;
  g.strokeStyle = css("--ground");
  g.strokeText(text, 0, side);
  g.fillStyle = colour(f.name);
  g.fillText(text, 0, side);
  g.restore();
  return true;
}
