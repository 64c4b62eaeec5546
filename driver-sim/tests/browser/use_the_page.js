// Uses a page of a run as a person does, and says in the page what did not work.
// `.ci/browser` puts this behind the page's own program.

const complaints = [];
let checks = 0;
addEventListener("error", (e) => complaints.push(`error: ${e.message} at line ${e.lineno}`));

function check(isSo, what) {
  checks += 1;
  if (!isSo) complaints.push(what);
}

// The next picture is drawn.
const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

async function press(key, more) {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  await drawn();
}

async function type(id, text) {
  $(id).value = text;
  $(id).dispatchEvent(new Event("input", { bubbles: true }));
  await drawn();
}

async function point(surface, kinds, px, py, more) {
  const { left, top } = surface.getBoundingClientRect();
  for (const kind of kinds) {
    const at = { clientX: left + px, clientY: top + py, pointerId: 1, bubbles: true, cancelable: true };
    surface.dispatchEvent(kind === "wheel" ? new WheelEvent(kind, { ...at, ...more }) : new PointerEvent(kind, { ...at, ...more }));
  }
  await drawn();
}

// How many colours are in the picture: one means that nothing is.
function colours(surface) {
  const { data } = surface.getContext("2d").getImageData(0, 0, surface.width, surface.height);
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) seen.add((data[i] << 24) | (data[i + 1] << 16) | (data[i + 2] << 8) | data[i + 3]);
  return seen.size;
}

const panelText = () => $("panel").innerText;

async function usePage() {
  // No finger is on the glass: there is nothing to capture.
  for (const surface of [canvas, map]) surface.setPointerCapture = () => {};
  await drawn();
  check(frames.length >= 10000, `only ${frames.length} events`);
  check(flights.length > 1000 && spans.some((s) => s.role === "leading"), "no messages, or nobody leads");
  check(document.title === D.title && $("title").textContent === D.title, "no title");
  check(colours(canvas) > 20, "the picture is empty");
  check(colours(map) > 5, "the map is empty");

  // It opens where a leader dies, and shows who comes after it.
  const first = opening();
  check(view.frame === first.frame, "the page does not open where there is most to see");
  check(orphaned.has(first.frame.i) && first.last, "no leader dies, or nobody follows");
  for (const f of [first.frame, first.last]) {
    check(x(view.axis.frame[f.i]) > box.left && x(view.axis.frame[f.i]) < box.width - box.right, `step ${f.i} of the opening is out of sight`);
  }
  const worlds = ["the network is cut: a hub", "the network is cut: one deaf", "the network is whole", "the disk of n1 is full", "the network is cut: a chain"];
  const made = cutsIn(worlds.map((words, i) => ({ i, what: "world", words }))).map((c) => `${c.first}..${c.end} ${c.shape}`).join(", ");
  check(made === "0..1 a hub, 1..2 one deaf, 4..5 a chain", `links are cut at ${made}`);

  // What happens, told beside the picture; and the marks explained.
  const told = document.querySelectorAll("#panel .story li");
  check(told.length > 3 && document.querySelector("#panel .story li.on").innerText.includes("the leader, crashes"), "nothing tells that the leader crashes");
  told[0].click();
  await drawn();
  check(view.frame.i < first.frame.i && moments.some((m) => m.i === view.frame.i), "a click on what happens does not go there");
  check(document.querySelectorAll("#panel .legend i").length === 8, "the legend is not whole");
  await press("l");
  check(leaderships.some((s) => s.first === view.frame.i), "l does not go to the next leader");
  const reign = view.frame.i;
  await press("L");
  check(view.frame.i < reign || reign === reigns[0], "L does not go back");
  await press("End");
  check(view.frame === frames[frames.length - 1], "end is not the end");
  await press("Home");
  check(view.frame === frames[0], "home is not the beginning");
  await press("o");
  check(view.frame === first.frame, "o does not go back to where it opened");
  check(document.body.scrollWidth <= innerWidth, "the page is wider than its window");

  // Step by step.
  const before = view.frame.i;
  await press("ArrowRight");
  check(view.frame.i > before, "→ does not go on");
  check(panelText().includes(`step ${view.frame.i + D.missing}`), "the panel does not say which step");
  await press("ArrowLeft");
  check(view.frame.i === before, "← does not go back");

  // A node at this moment.
  const cards = document.querySelectorAll("#panel .card");
  check(cards.length === D.nodes.length, "not a card for each node");
  Object.assign(view, { lane: null });
  const alive = D.nodes.findIndex((_, lane) => portrait(lane) && portrait(lane) !== "down");
  document.querySelectorAll("#panel .card")[alive].click();
  await drawn();
  const state = portrait(alive).groups[0];
  for (const part of ["standing", "voters", `all below ${state.chosen}`, state.promised]) check(panelText().includes(part), `the node's state lacks ${part}`);

  // A click on a step, one on an arrow, and one on nothing.
  const target = frames.find((f) => f.i > view.frame.i + 3 && f.lane >= 0 && x(view.axis.frame[f.i]) < box.width - 60 && !(f.flight && !isShown(f.flight)));
  await point(canvas, ["pointermove", "pointerdown", "pointerup"], x(view.axis.frame[target.i]), y(target.lane));
  check(view.frame !== null && view.axis.frame[view.frame.i] - view.axis.frame[target.i] < 1000, "a click on a step does not select it");
  check(!$("tip").hidden || view.frame !== null, "nothing tells what is under the pointer");
  await press("Escape");
  check(view.frame === null && view.lane === null, "escape selects something");

  // Through the whole run, by the map and by the wheel.
  await press("0");
  check(view.to - view.from >= view.axis.last - view.axis.first, "0 does not show everything");
  const all = colours(canvas);
  check(all > 20, "everything at once is nothing");
  await point(map, ["pointerdown"], map.clientWidth / 2, 10);
  const middle = (view.axis.first + view.axis.last) / 2;
  check(Math.abs(view.now - middle) < (view.axis.last - view.axis.first) * 0.02, "the map does not scrub");
  const span = view.to - view.from;
  await point(canvas, ["wheel"], canvas.clientWidth / 2, 100, { deltaY: -600 });
  check(view.to - view.from < span, "the wheel does not zoom");
  const from = view.from;
  canvas.dispatchEvent(new PointerEvent("pointerdown", { clientX: 500, clientY: 200, pointerId: 1, bubbles: true }));
  await point(canvas, ["pointermove", "pointerup"], 300, 150);
  check(view.from !== from, "a drag moves nothing");

  // One slot.
  await press("0");
  const unfiltered = visibleFlights().length;
  const { slot } = choosings[choosings.length >> 1];
  await type("slot", String(slot));
  const about = visibleFlights();
  check(about.length > 0 && about.length < unfiltered, `slot ${slot}: ${about.length} of ${unfiltered} messages`);
  check(about.every((f) => f.first <= slot && slot < f.end), "messages of other slots are shown");
  await type("slot", "");
  check(visibleFlights().length === unfiltered, "the filter does not go away");

  // Words.
  await type("query", "crashes");
  check(view.hits.length > 0 && $("hits").value.includes("hits"), "nothing is found");
  await press("n");
  check(view.frame !== null && view.hit.has(view.frame), "n does not go to what was found");
  await type("query", "no such words anywhere");
  check(view.hits.length === 0 && $("hits").value === "0 hits", "something is found that is not there");
  await type("query", "");

  // Kinds of messages, the axis, the colours, the next crash, the help.
  document.querySelector("#kinds .chip").click();
  await drawn();
  check(view.hidden.size > 0 || document.querySelector("#kinds .chip.off") === null, "a kind cannot be hidden");
  await press("e");
  check(view.axis === axes.even && $("even").textContent === "every step", "steps are not equally wide");
  await press("e");
  const dark = isDark();
  await press("t");
  check(isDark() !== dark && colours(canvas) > 20, "the other theme shows nothing");
  await press("c");
  check(view.frame !== null && notable.includes(view.frame), "c does not go to what hurts");
  await press("C");
  check(view.frame !== null && notable.includes(view.frame), "C does not go back to what hurts");
  await press("?");
  check($("keys").open, "no help");
  $("keys").close();
  const now = view.now;
  await press(" ");
  for (let i = 0; i < 10; i++) await drawn();
  await press(" ");
  check(!view.playing && view.now > now, "play does not play");
}

usePage().catch((e) => complaints.push(`${e}\n${e.stack}`)).finally(() => {
  const verdict = document.createElement("pre");
  verdict.id = "verdict";
  verdict.textContent = complaints.length ? "FAILED\n" + complaints.join("\n") : `sound: ${checks} checks, ${frames.length} events`;
  document.body.append(verdict);
});
