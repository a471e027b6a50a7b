// What the server shows, and what is asked of it. Messages: a number of 4 bytes, so much JSON, and a JPEG or nothing.

import { Curve } from "./curve.js";
import { Stage } from "./stage.js";
import { TargetList } from "./targets.js";
import { hint, numbers, where } from "./words.js";

const $ = (id) => document.getElementById(id);
const AGAIN = 1500; // ms until the connection is tried again
const SURE = 3000; // ms within which Stop is pressed a second time

let socket = null, connected = false;
let facts = { phase: "waiting", targets: [], palette: [], paused: false };
let drafts = [], made = 0; // boxes before the start: {key, id, box}; an id may be there twice while it is typed
let pending = null, sent = null; // a box drawn while paused; the one that was sent last
let chosen = null; // key of a target: that of a draft, or its name
let said = { text: "", error: false }; // the note
let seen = 0, stopping = 0;

const curve = new Curve($("curve"));
const stage = new Stage($("stage"), { may: mayDraw, begun, drawn, clicked });
const list = new TargetList($("targets"), { choose, remove, rename });

function connect() {
  socket = new WebSocket(new URL("live", location.href).href.replace(/^http/, "ws"));
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { connected = true; seen = 0; curve.points = []; render(); };
  socket.onmessage = ({ data }) => (typeof data === "string" ? note(JSON.parse(data).error, true) : take(data));
  socket.onclose = () => {
    connected = false;
    render();
    if (facts.phase !== "done") setTimeout(connect, AGAIN);
  };
}

async function take(data) {
  const length = new DataView(data).getUint32(0);
  const before = facts.phase;
  facts = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  if (before === "choose" && facts.phase === "track") chosen = null;
  const jpeg = new Uint8Array(data, 4 + length);
  if (jpeg.length) await stage.show(jpeg, facts.size).catch(() => {});
  curve.add(facts.points, facts.first);
  if (facts.phase !== "choose" && facts.phase !== "preview") drafts = [];
  if (facts.phase !== "track" || (pending && !facts.paused && !pending.fresh)) pending = null;
  if (pending && facts.paused) pending.fresh = false;
  if (facts.note && facts.note.number > seen) {
    seen = facts.note.number;
    note(facts.note.text, facts.note.error);
    if (facts.note.error && sent && facts.paused) pending = sent;
  }
  sent = null;
  render();
  if (socket.readyState === WebSocket.OPEN) socket.send("shown");
}

function ask(wish) {
  if (!connected) return;
  note("");
  socket.send(JSON.stringify(wish));
}

// A note takes the place of the hint, so that nothing moves.
function note(text, error = false) {
  said = { text, error };
  renderNote();
}

function renderNote() {
  const lost = !connected && facts.phase !== "done" && facts.title;
  const { text, error } = lost ? { text: "No connection: the run has ended, or the tunnel is cut. Trying again …", error: true } : said;
  $("note").textContent = text || hint(facts, drafts, pending);
  $("note").className = !text ? "" : error ? "error" : "info";
}

// Drawing

function mayDraw() {
  return connected && ["preview", "choose", "track"].includes(facts.phase);
}

function begun() {
  if (facts.phase === "preview") ask({ do: "hold" });
  if (facts.phase === "track" && !facts.paused) ask({ do: "pause" });
}

function drawn(box) {
  if (facts.phase === "track") {
    pending = { box, fresh: !facts.paused };
    fillPending();
  } else {
    drafts.push({ key: made += 1, id: unused(drafts.map((draft) => draft.id)), box });
    chosen = made;
  }
  render();
}

function clicked(x, y) {
  const shapes = facts.phase === "track" ? facts.targets.map(({ name, box }) => ({ key: name, box })) : drafts;
  const inside = shapes.filter(({ box: [left, top, w, h] }) => x >= left && x <= left + w && y >= top && y <= top + h);
  if (inside.length) choose(inside.sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3])[0].key);
}

function unused(ids) {
  let number = 1;
  while (ids.some((id) => String(id) === String(number))) number += 1;
  return String(number);
}

// Targets

function choose(key) {
  chosen = key;
  if (pending) fillPending();
  render();
}

function remove(key) {
  if (facts.phase === "track") ask({ do: "remove", id: idOf(key), frame: facts.frame });
  else drafts = drafts.filter((draft) => draft.key !== key);
  if (chosen === key) chosen = drafts.length && facts.phase !== "track" ? drafts.at(-1).key : null;
  render();
}

function rename(key, text) {
  drafts.find((draft) => draft.key === key).id = text.trim();
  render();
}

function idOf(name) {
  return facts.targets.find((target) => target.name === name)?.id ?? null;
}

function twice(id) {
  return drafts.filter((draft) => draft.id === id).length > 1;
}

function start() {
  if (!$("start").disabled) ask({ do: "start", boxes: drafts.map(({ id, box }) => ({ id, box })), frame: facts.frame });
}

function startPaused() {
  ask({ do: "pause" });
  start();
}

// A box drawn while paused: whose it is

function fillPending() {
  const names = facts.targets.map((target) => target.name);
  const near = [...facts.targets].sort((a, b) => apart(a.box, pending.box) - apart(b.box, pending.box))[0];
  const options = names.map((name) => new Option(name === "" ? "the target" : `target ${name}`, `=${name}`));
  if (facts.with_ids) options.push(new Option("a new target", "new"));
  $("pendingfor").replaceChildren(...options);
  const whose = names.includes(chosen) ? chosen : near?.name;
  $("pendingfor").value = whose === undefined ? "new" : `=${whose}`;
  $("pendingid").value = unused(names);
}

function apart([x, y, w, h], [u, v, p, q]) {
  return Math.hypot(x + w / 2 - u - p / 2, y + h / 2 - v - q / 2);
}

function apply() {
  if (!pending || !facts.paused) return;
  const whose = $("pendingfor").value, common = { box: pending.box, frame: facts.frame };
  sent = pending;
  pending = null;
  if (whose === "new") ask({ do: "add", id: $("pendingid").value, ...common });
  else ask({ do: "place", id: idOf(whose.slice(1)), keep_memory: $("keep").checked, ...common });
  render();
}

function discard() {
  stage.cancel(); pending = null; render();
}

// The page

function render() {
  const { phase, paused } = facts, live = connected && phase !== "done";
  document.body.dataset.phase = phase;
  document.title = facts.title ? `${facts.title} · EBMTrack` : "EBMTrack";
  $("title").textContent = facts.title || "EBMTrack";
  const [word, look] = !connected && phase !== "done" ? ["connection lost", "off"]
    : { waiting: ["loading", ""], preview: ["live", "live"], choose: ["choose targets", "paused"],
        track: paused ? ["paused", "paused"] : ["tracking", "live"], done: ["ended", ""] }[phase];
  $("chip").textContent = word;
  $("chip").className = `chip ${look}`;
  renderNote();
  for (const part of document.querySelectorAll("[data-in]"))
    part.hidden = !part.dataset.in.split(" ").includes(phase) || (part.hasAttribute("data-live") && !facts.live);
  for (const button of document.querySelectorAll("#buttons button")) button.disabled = !live;
  $("empty").hidden = Boolean(stage.size);
  $("stage").classList.toggle("drawing", mayDraw());
  $("pause").replaceChildren(paused ? "Go on " : "Pause ", keycap("Space"));
  $("step").disabled ||= !paused || Boolean(pending);
  $("start").disabled ||= !drafts.length || drafts.some(({ id }) => !id || twice(id));
  $("startpaused").disabled = $("start").disabled;
  $("where").textContent = where(facts);
  renderPending();
  renderTargets();
  curve.draw();
}

function renderPending() {
  $("pending").hidden = !pending;
  if (!pending) return;
  $("pendingbox").textContent = numbers(pending.box);
  const fresh = $("pendingfor").value === "new";
  $("pendingname").hidden = !fresh;
  $("pendingkeep").hidden = fresh;
  $("apply").disabled = !facts.paused || (fresh && !$("pendingid").value.trim());
}

function renderTargets() {
  const choosing = facts.phase === "choose" || facts.phase === "preview";
  const shown = choosing
    ? drafts.map(({ key, id, box }, place) => ({ key, name: id, box, colour: facts.palette[place % facts.palette.length],
        draft: true, wrong: !id || twice(id) }))
    : facts.targets.map((target) => ({ ...target, key: target.name, removable: facts.phase === "track" && facts.paused && facts.with_ids }));
  list.show(shown, chosen);
  curve.colours = new Map(facts.targets.map(({ name, colour }) => [name, colour]));
  const shapes = shown.map(({ key, name, box, colour, state, draft }) => ({ box, colour, chosen: key === chosen && shown.length > 1,
    dashed: !draft && state !== "ok", label: name === "" ? "" : name }));
  if (pending) shapes.push({ box: pending.box, colour: [255, 255, 255], chosen: true, dashed: false, label: "new box" });
  stage.draw(shapes);
  $("none").hidden = Boolean(shown.length);
}

function keycap(text) {
  const made = document.createElement("kbd");
  made.textContent = text;
  return made;
}

// Buttons and keys

function pause() {
  if (facts.phase === "preview") ask({ do: "hold" });
  else if (facts.phase === "choose" && facts.live) { drafts = []; ask({ do: "go" }); }
  else if (facts.phase === "track") { pending = null; ask({ do: facts.paused ? "go" : "pause" }); }
}

function step() {
  if (facts.phase === "track" && facts.paused && !pending) ask({ do: "step" });
}

function stop() {
  if ($("stop").hidden || !connected) return;
  const sure = Date.now() - stopping < SURE;
  if (sure) ask({ do: "stop" });
  stopping = sure ? 0 : Date.now();
  $("stop").classList.toggle("sure", !sure);
  $("stop").replaceChildren(sure ? "Stop " : "Once more to stop ", keycap("Q"));
  if (!sure) setTimeout(() => { $("stop").classList.remove("sure"); $("stop").replaceChildren("Stop ", keycap("Q")); }, SURE);
}

function nudge(direction, resize) {
  const box = pending?.box ?? drafts.find((draft) => draft.key === chosen)?.box;
  if (!box) return false;
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[direction];
  const first = resize ? 2 : 0;
  box[first] += dx; box[first + 1] += dy;
  if (resize) { box[2] = Math.max(1, box[2]); box[3] = Math.max(1, box[3]); }
  render();
  return true;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = event.target;
  if (at.matches("input, select")) {
    if (event.key === "Enter" || event.key === "Escape") at.blur();
    return;
  }
  if (at.matches("button") && (event.key === " " || event.key === "Enter")) return;
  const nth = Number(event.key);
  if (event.key === " ") pause();
  else if (event.key === "Enter") { if (pending) apply(); else start(); }
  else if (event.key === "Escape") discard();
  else if (event.key === "Delete" || event.key === "Backspace") {
    if (facts.phase !== "choose" || chosen === null) return;
    remove(chosen);
  } else if (event.key.startsWith("Arrow")) {
    if (!nudge(event.key, event.shiftKey)) { if (event.key !== "ArrowRight") return; step(); }
  } else if (event.key.toLowerCase() === "q") stop();
  else if (nth >= 1 && list.keys[nth - 1] !== undefined) choose(list.keys[nth - 1]);
  else return;
  event.preventDefault();
}

for (const [id, action] of Object.entries({ start, startpaused: startPaused, hold: pause, release: pause, pause, step, stop, apply, discard }))
  $(id).addEventListener("click", (event) => { if (event.detail) $(id).blur(); action(); });
$("pendingfor").addEventListener("change", render);
$("pendingid").addEventListener("input", render);
document.addEventListener("keydown", pressed);
connect();
render();
