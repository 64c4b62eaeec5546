// What is shown: a window of the axis, the moment looked at, what is selected and what is hidden.

const view = {
  axis: axes.scale, from: begin, to: finish, now: begin,
  frame: null, flight: null, lane: null, hover: null,
  slot: null, query: "", hits: [], hit: new Set(), hidden: new Set(), playing: false,
};

const box = { width: 0, height: 0, left: 96, right: 22, top: 72, bottom: 16 };
const $ = (id) => document.getElementById(id);
const canvas = $("picture"), map = $("map");

const x = (place) => box.left + ((place - view.from) / (view.to - view.from)) * (box.width - box.left - box.right);
const placeAt = (pixel) => view.from + ((pixel - box.left) / (box.width - box.left - box.right)) * (view.to - view.from);
const spacing = () => (box.height - box.top - box.bottom) / D.nodes.length;
const y = (lane) => box.top + (lane + 0.5) * spacing();

const family = {
  Prepare: "promise", Promise: "promise", Reject: "reject", Accept: "accept", Accepted: "accept", Chosen: "chosen",
  Probe: "probe", ProbeAck: "probe", Handover: "probe", Heartbeat: "beat", HeartbeatAck: "beat",
  Fetch: "fetch", Entries: "fetch", Offer: "fetch", Pull: "fetch", Piece: "fetch",
  Forward: "client", Forwarded: "client", ReadRequest: "client", ReadAnswer: "client", Confirm: "client", Confirmed: "client",
};
const shades = {
  light: {
    promise: "#7a3fd0", reject: "#c92a3c", accept: "#1f66d1", chosen: "#12855a", probe: "#b07400", beat: "#a8a499",
    fetch: "#a4532a", client: "#0d8a96", other: "#6b685f", disk: "#a98a4a",
    ballots: ["#3f6fe0", "#d9662b", "#20916a", "#a44bc4", "#c23d6d", "#7d8a1f", "#1593a8", "#8a5a34"],
  },
  dark: {
    promise: "#b794ff", reject: "#ff6b7a", accept: "#6ba6ff", chosen: "#57c894", probe: "#e9b44c", beat: "#5b6170",
    fetch: "#e09468", client: "#4fc8d3", other: "#a3a7b3", disk: "#9d8650",
    ballots: ["#6f97ff", "#f0915c", "#4fbf95", "#c98be0", "#f0789f", "#b3c04f", "#4bbfd3", "#c0936b"],
  },
};
const isDark = () => document.documentElement.classList.contains("dark");
const shade = () => (isDark() ? shades.dark : shades.light);
const colour = (name) => shade()[family[name] || "other"];
// Asked for thousands of times a picture; forgotten when the theme changes.
const sheet = new Map();
function css(name) {
  if (!sheet.has(name)) sheet.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return sheet.get(name);
}

// Ballots in the order in which they come up; each has its colour for good.
const ballots = new Map();
for (const s of [...spans].sort((a, b) => a.first - b.first)) {
  if (s.ballot && !ballots.has(s.ballot)) ballots.set(s.ballot, ballots.size);
}
const ballotColour = (ballot) => (ballots.has(ballot) ? shade().ballots[ballots.get(ballot) % 8] : css("--faint"));

const ms = (us) => (us / 1000).toLocaleString("en", { minimumFractionDigits: 3, maximumFractionDigits: 3 }) + " ms";
const node = (lane) => "n" + D.nodes[lane];

const inSlot = (f) => view.slot === null || (f.first <= view.slot && view.slot < f.end);
const isShown = (f) => !view.hidden.has(f.name) && inSlot(f);

// The last frame at or before the moment looked at.
const frameNow = () => above(view.axis.frame, view.now) - 1;

// What a node was like at the moment looked at: its last frame by then.
function last(lane) {
  const own = ofLane[lane], at = above(own, frameNow()) - 1;
  return at < 0 ? null : frames[own[at]];
}

function portrait(lane) {
  const own = ofLane[lane];
  for (let at = above(own, frameNow()) - 1; at >= 0; at--) {
    const frame = frames[own[at]];
    if (frame.what === "crashed") return "down";
    if (frame.portrait >= 0) return D.portraits[frame.portrait];
  }
  return null;
}

function clamp() {
  const { first, last } = view.axis, room = (last - first) * 0.04 + 1e-6;
  const least = view.axis === axes.even ? 6 : 20;
  let span = Math.min(Math.max(view.to - view.from, least), last - first + 2 * room);
  const from = Math.min(Math.max(view.from, first - room), last + room - span);
  view.from = from;
  view.to = from + span;
}

function zoom(factor, around) {
  view.from = around - (around - view.from) * factor;
  view.to = around + (view.to - around) * factor;
  clamp();
  redraw();
}

function centre(place) {
  const span = view.to - view.from;
  if (place > view.from + span * 0.08 && place < view.to - span * 0.08) return;
  view.from = place - span / 2;
  view.to = place + span / 2;
  clamp();
}

function lookAt(frame) {
  if (!frame) return;
  Object.assign(view, { frame, flight: null, now: view.axis.frame[frame.i] });
  if (frame.lane >= 0) view.lane = frame.lane;
  centre(view.now);
  redraw();
}

// A window of about so many frames around one.
function windowAround(frame, count) {
  const last = frames.length - 1;
  const from = Math.max(0, Math.min(frame - Math.floor(count * 0.5), last - count));
  view.from = view.axis.frame[from];
  view.to = view.axis.frame[Math.min(last, from + count)];
  const room = (view.to - view.from) * 0.03;
  view.from -= room;
  view.to += room;
  clamp();
}

// The window in which the run is most worth looking at: from before a death to after what followed.
function lookAtOpening() {
  const { frame, last } = opening();
  if (!frame) return;
  windowAround(frame.i, 130);
  if (last && view.axis === axes.scale) {
    const lasts = Math.max(last.at - frame.at, 4 * usual);
    const count = (from, to) => above(times, to) - above(times, from);
    let before = lasts * 0.7, after = lasts * 0.7;
    while (count(frame.at - before, frame.at) > 160) before *= 0.8;
    while (count(last.at, last.at + after) > 200) after *= 0.8;
    Object.assign(view, { from: frame.at - before, to: last.at + after });
    clamp();
  }
  lookAt(frame);
}

let isPlanned = false;
function redraw() {
  if (isPlanned) return;
  isPlanned = true;
  requestAnimationFrame(() => { isPlanned = false; draw(); drawMap(); drawPanel(); });
}
