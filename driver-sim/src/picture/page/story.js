// What a run is about: when links were cut, who led whom, and where to look first.

// The network is cut from one frame to another, in some shape.
function cutsIn(frames) {
  const list = [];
  let open = null;
  for (const f of frames) {
    if (f.what !== "world") continue;
    const isCut = f.words.startsWith("the network is cut"), isWhole = /^the network is whole|^the faults end|^heal/.test(f.words);
    if (!isCut && !isWhole) continue;
    if (open) list.push({ ...open, end: f.i });
    open = isCut ? { first: f.i, shape: f.words.split(": ")[1] || "" } : null;
  }
  if (open) list.push({ ...open, end: frames.length });
  return list;
}
const cuts = cutsIn(frames);

const leaderships = spans.filter((s) => s.role === "leading").sort((a, b) => a.first - b.first);
const cutAt = (i) => cuts.find((c) => c.first <= i && i < c.end);
// The leaderships that end with a crash: frame by frame, who led.
const orphaned = new Map();
for (const s of leaderships) {
  if (frames[s.end]?.what === "crashed" && frames[s.end].lane === s.lane) orphaned.set(s.end, s);
}

// What a person would tell of the run, in order.
const moments = [
  ...notable.filter((f) => f.what !== "started" || f.i >= D.nodes.length).map((f) => ({ i: f.i, what: f.what, text: tell(f) })),
  ...leaderships.filter((s) => s.first > 0).map((s) => ({ i: s.first, what: "leads", lane: s.lane, ballot: s.ballot, text: `n${D.nodes[s.lane]} leads ${s.ballot}` })),
].sort((a, b) => a.i - b.i);

function tell(f) {
  const name = f.lane < 0 ? "" : "n" + D.nodes[f.lane];
  if (f.what === "crashed") return `${name}${orphaned.has(f.i) ? ", the leader," : ""} crashes`;
  if (f.what === "started") return `${name} starts again`;
  if (f.what === "paused") return f.words;
  return f.words.replace("the network is cut: ", "links are cut: ").replace("the network is whole", "links are whole again");
}

// Where to look first: where it broke; else where a leader died, best of all while links were cut
// in part and others went on; else where it hurt. A frame, and the last one that should be seen.
function opening() {
  const broken = frames.find((f) => f.what === "broken");
  if (broken) return { frame: broken };
  const deaths = [...orphaned].map(([i, s]) => {
    const cut = cutAt(i), next = leaderships.find((n) => n.first > i && n.group === s.group);
    const isSoon = next && frames[next.first].at - frames[i].at < 1e6;
    const more = next ? choosings.filter((c) => c.group === s.group && c.frame >= next.first && c.frame < next.end).length : 0;
    const part = cut && !/^(two sides|one alone)/.test(cut.shape);
    return { frame: frames[i], last: next && frames[next.first], worth: (part ? 4 : cut ? 2 : 0) + (isSoon ? 3 : 0) + Math.min(more, 4) };
  });
  if (deaths.length) return deaths.reduce((best, d) => (d.worth > best.worth ? d : best));
  return { frame: frames.find((f) => f.what === "crashed" && f.i > 40) || frames[Math.min(60, frames.length - 1)] };
}
