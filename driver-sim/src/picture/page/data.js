"use strict";
// What the page was given, as objects with names. Lanes are nodes in order; a coordinate is a
// place on the time axis: microseconds, or the number of a frame when steps are equally wide.

const D = JSON.parse(document.getElementById("data").textContent);
const W = D.words;
const laneOf = new Map(D.nodes.map((node, lane) => [node, lane]));

const frames = D.frames.map(([at, node, what, words, effects, portrait], i) => ({
  i, at, node, lane: node < 0 ? -1 : laneOf.get(node), what: D.whats[what], words: W[words], effects, portrait,
  flight: null, sent: [],
}));

const flights = D.flights.map((r) => ({
  from: laneOf.get(r[0]), to: laneOf.get(r[1]), sentAt: r[2], endedAt: r[3], sent: r[4], ended: r[5],
  fate: D.fates[r[6]], name: W[r[7]], words: W[r[8]], group: r[9], ballot: r[10] < 0 ? "" : W[r[10]],
  first: r[11], end: r[12], twin: r[13] === 1, brief: W[r[14]],
})).filter((f) => f.from !== undefined && f.to !== undefined);
flights.forEach((f, k) => { f.k = k; });

const writings = D.writings.map(([node, ordered, ended, durable, words]) => ({
  lane: laneOf.get(node), ordered, ended, durable: durable === 1, words: W[words],
}));
const spans = D.spans.map(([node, group, role, ballot, first, end]) => ({
  lane: laneOf.get(node), group, role: ["following", "campaigning", "leading", "down"][role], ballot: W[ballot], first, end,
}));
const choosings = D.choosings.map(([frame, group, slot, value]) => ({ frame, group, slot, value: W[value] }));
const pauses = D.pauses.map(([node, from, to]) => ({ lane: laneOf.get(node), from, to }));
const groups = [...new Set(spans.map((s) => s.group))].sort((a, b) => a - b);

for (const f of flights) {
  if (f.ended >= 0) frames[f.ended].flight = f;
  if (f.sent >= 0) frames[f.sent].sent.push(f);
}
// The frames of each lane, in order: what a node was like is what its last frame says.
const ofLane = D.nodes.map((_, lane) => frames.filter((f) => f.lane === lane).map((f) => f.i));

const notable = frames.filter((f) => ["crashed", "started", "paused", "world", "broken"].includes(f.what));
const times = Float64Array.from(frames, (f) => f.at);
const begin = frames.length ? frames[0].at : 0;
const finish = frames.length ? Math.max(frames[frames.length - 1].at, begin + 1) : 1;

// How long a message is under way, so that lost ones are drawn as long as others.
const usual = (() => {
  const all = flights.filter((f) => f.fate === "arrived" && f.sent >= 0).map((f) => f.endedAt - f.sentAt).sort((a, b) => a - b);
  return all.length ? Math.max(all[all.length >> 1], 1) : 1000;
})();
const missed = (f) => f.fate === "lost" || f.fate === "cut off";

// The first place in a sorted list whose entry is above the given one.
function above(list, wanted) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= wanted) low = middle + 1; else high = middle;
  }
  return low;
}

// Both time axes: where frames, flights, writings, spans and pauses are on them.
const axes = { scale: axis((f) => f.at, (time) => time), even: axis((f) => f.i, evenly) };

function evenly(time) {
  const next = above(times, time);
  if (next === 0) return 0;
  if (next >= frames.length) return frames.length - 1;
  const span = times[next] - times[next - 1];
  return next - 1 + (span > 0 ? (time - times[next - 1]) / span : 0);
}

function axis(ofFrame, ofTime) {
  const frame = Float64Array.from(frames, ofFrame);
  const place = (number, time) => (number >= 0 && number < frame.length ? frame[number] : ofTime(time));
  const last = frame.length ? frame[frame.length - 1] : 1;
  const head = Float64Array.from(flights, (f) => place(f.sent, f.sent >= 0 ? f.sentAt : Math.max(f.endedAt - usual, begin)));
  const tail = Float64Array.from(flights, (f, i) => {
    if (f.endedAt < 0) return Math.max(last, head[i]);
    const time = missed(f) ? Math.max(f.endedAt, f.sentAt + usual) : f.endedAt;
    return Math.max(place(missed(f) ? -1 : f.ended, time), head[i]);
  });
  return {
    frame, head, tail, ofTime, first: frame.length ? frame[0] : 0, last: Math.max(last, (frame[0] || 0) + 1),
    end: (number) => (number < 0 || number >= frame.length ? last : frame[number]),
  };
}
