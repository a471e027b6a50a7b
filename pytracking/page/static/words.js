// Texts of the page.

// What can be done now.
export function hint(facts, drafts, pending) {
  const choose = drafts.length ? "Arrow keys move the chosen box, with Shift they change its size; Del removes it."
    : "Draw a box around each target with the mouse, then start.";
  const track = pending ? "Say whose box this is. Arrow keys move it, with Shift they change its size."
    : facts.paused ? `Draw a box on the picture to put a target where it is${facts.with_ids ? ", or to add one" : ""}.`
      : "Draw on the picture to pause and put a target where it is.";
  return {
    waiting: "The run is being prepared.", done: "", choose, track,
    preview: "Draw a box around a target: the picture is held while you do.",
  }[facts.phase];
}

// Where in the video the run is, and how fast it is.
export function where({ frame, count, time, speed, phase }) {
  if (frame === null || frame === undefined) return "";
  const parts = [count ? `frame ${frame} / ${count - 1}` : `frame ${frame}`];
  if (time !== null) parts.push(`${time.toFixed(2)} s`);
  if (speed && phase === "track") parts.push(`${speed < 10 ? speed.toFixed(1) : Math.round(speed)} frames/s`);
  return parts.join("  ·  ");
}

// x, y, w, h to a tenth of a pixel.
export function numbers(box) {
  return box.map((side) => (Math.round(side * 10) / 10).toString()).join(", ");
}
