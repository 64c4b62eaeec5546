// Beside the picture: what is selected, and what every node is like at the moment looked at.

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") made.style.cssText = value;
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== false));
  return made;
}

const heading = (text, more) => element("h2", {}, element("b", {}, text), more ? element("span", {}, more) : "");
const row = (name, value, mono) => element("tr", {}, element("td", {}, name), element("td", { class: mono ? "mono" : "" }, value));
const isHit = (text) => view.query !== "" && text.toLowerCase().includes(view.query.toLowerCase());

function drawPanel() {
  const panel = $("panel"), parts = [];
  if (view.flight) parts.push(...flightParts(view.flight));
  else if (view.frame) parts.push(...frameParts(view.frame));
  const at = frames[Math.max(frameNow(), 0)];
  if (view.lane !== null) parts.push(...nodeParts(view.lane, at));
  parts.push(heading("Nodes", "at " + ms(at ? at.at : begin)));
  D.nodes.forEach((_, lane) => parts.push(card(lane)));
  parts.push(...storyParts());
  parts.push(heading("Legend"), legend());
  panel.replaceChildren(...parts);
}

// What happens around the moment looked at; a click goes there.
function storyParts() {
  if (!moments.length) return [];
  const now = frameNow(), next = above(moments.map((m) => m.i), now), from = Math.max(0, Math.min(next - 4, moments.length - 9));
  const list = element("ol", { class: "story" });
  moments.slice(from, from + 9).forEach((m, k) => {
    const isNow = from + k === next - 1, dot = element("i", { class: m.what, style: m.ballot ? `--c:${ballotColour(m.ballot)}` : "" });
    list.append(element("li", { class: isNow ? "on" : m.i > now ? "later" : "", onclick: () => lookAt(frames[m.i]) },
      dot, element("span", {}, m.text), element("small", {}, ms(frames[m.i].at))));
  });
  return [heading("What happens", `${next} of ${moments.length}`), list];
}

// The marks of the picture, drawn as they are there.
function legend() {
  const marks = [
    ["band", "leads"], ["hatched", "asks for promises"], ["line", "follows: the leader's colour"], ["down", "is down"],
    ["cut", "links are cut"], ["slot", "a slot is first known to be chosen"], ["disk", "a write, until it is durable"], ["lost", "a message does not arrive"],
  ];
  return element("div", { class: "legend" }, ...marks.map(([mark, text]) => element("div", {}, element("i", { class: mark }), text)));
}

function frameParts(frame) {
  const title = frame.lane < 0 ? frame.what : `${node(frame.lane)} ${frame.what}`;
  const orders = element("ul", { class: "orders" });
  for (const place of frame.effects) orders.append(element("li", { class: isHit(W[place]) ? "hit" : "" }, W[place]));
  return [
    heading(title, `step ${frame.i + D.missing}, ${ms(frame.at)}`),
    element("p", { class: "words" + (isHit(frame.words) ? " hit" : "") }, frame.words),
    frame.effects.length ? orders : element("p", { class: "hint" }, frame.lane < 0 || frame.portrait < 0 ? "" : "orders nothing"),
  ];
}

function flightParts(f) {
  const took = f.endedAt >= 0 && f.sent >= 0 && !missed(f) ? ms(f.endedAt - f.sentAt) : "–";
  return [
    heading(`${node(f.from)} → ${node(f.to)}`, f.name),
    element("p", { class: "words" }, f.words),
    element("table", {},
      row("sent", f.sent < 0 && f.ended >= 0 ? "long ago: an old letter again" : ms(f.sentAt)),
      row("fate", f.fate + (f.twin ? ", second copy" : "")),
      row("under way", took),
      groups.length > 1 ? row("group", "g" + f.group) : ""),
  ];
}

function nodeParts(lane, at) {
  const state = portrait(lane);
  const title = heading(node(lane), "at " + ms(at ? at.at : begin));
  if (!state || state === "down") return [title, element("p", { class: "hint" }, state === "down" ? "The process is down." : "Not seen yet.")];
  const parts = [title];
  for (const g of state.groups) {
    parts.push(element("table", {},
      groups.length > 1 ? row("group", "g" + g.group) : "",
      row("standing", g.standing + (g.ballot ? ` at ${g.ballot}` : "")),
      row("follows", g.follows ?? "nobody"),
      row("promised", g.promised, true),
      row("chosen", `all below ${g.chosen}`),
      row("delivered", `all below ${g.delivered}`),
      g.floor > 1 ? row("forgotten", `all below ${g.floor}`) : "",
      row("voters", g.voters)));
    if (g.cells.length) parts.push(log(g));
  }
  parts.push(element("table", {}, row("disk", `durable to w${state.writes[1]}, ordered to w${state.writes[0]}`), row("held back", state.held === 1 ? "1 pledge" : `${state.held} pledges`)));
  return parts;
}

function log(group) {
  const table = element("table", { class: "log" });
  for (const [slot, ballot, isChosen, value] of group.cells) {
    const dot = element("span", { class: "dot", style: `--c:${ballotColour(ballot)}` });
    table.append(element("tr", { class: isChosen ? "" : "open" },
      element("td", {}, String(slot)), element("td", {}, dot, ballot), element("td", {}, isChosen ? "chosen" : "voted"), element("td", {}, value)));
  }
  return table;
}

function card(lane) {
  const state = portrait(lane), g = state && state !== "down" ? state.groups[0] : null;
  const bar = element("div", { class: "bar" });
  for (const [, ballot, isChosen] of g ? g.cells : []) bar.append(element("i", { class: isChosen ? "chosen" : "", style: `background:${isChosen ? shade().chosen : ballotColour(ballot)}` }));
  const role = g ? g.standing : state === "down" ? "down" : "not seen yet";
  const ballot = g ? g.ballot ?? g.follows ?? "" : "";
  return element("div", { class: "card" + (view.lane === lane ? " on" : ""), onclick: () => { view.lane = view.lane === lane ? null : lane; redraw(); } },
    element("div", { class: "who" }, node(lane)),
    element("div", { class: "role" + (state === "down" ? " down" : "") }, ballot ? element("span", { class: "dot", style: `--c:${ballotColour(ballot)}` }) : "", role, ballot ? " " + ballot : ""),
    element("div", { class: "at" }, g ? `chosen < ${g.chosen}` : ""),
    bar);
}

function drawKinds() {
  const counts = new Map();
  for (const f of flights) counts.set(f.name, (counts.get(f.name) || 0) + 1);
  const names = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
  $("kinds").replaceChildren(...names.map((name) => element("button", {
    class: "chip" + (view.hidden.has(name) ? " off" : ""), title: "Click to hide or show; with alt, only this kind",
    onclick: (event) => { toggle(name, event.altKey, names); },
  }, element("i", { style: `--c:${colour(name)}` }), name, element("small", {}, counts.get(name).toLocaleString("en")))));
}

function toggle(name, isOnly, names) {
  if (isOnly) {
    const isAlone = names.every((other) => other === name || view.hidden.has(other));
    view.hidden = new Set(isAlone ? [] : names.filter((other) => other !== name));
  } else if (!view.hidden.delete(name)) view.hidden.add(name);
  drawKinds();
  redraw();
}
