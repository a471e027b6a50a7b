// The score of every target over the last frames, from 0 to 1.

const SHOWN = 400; // frames
const LEFT = 26, RIGHT = 6, TOP = 6, BOTTOM = 18; // px

export class Curve {
  constructor(canvas) {
    this.canvas = canvas; this.points = []; this.colours = new Map();
    new ResizeObserver(() => this.draw()).observe(canvas);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // `first`: place of the first of these points in the whole curve.
  add(points, first) {
    if (first === 0) this.points = [];
    this.points = [...this.points, ...points].slice(-SHOWN);
  }

  draw() {
    const { canvas } = this, ratio = window.devicePixelRatio || 1;
    const wide = canvas.clientWidth, high = canvas.clientHeight;
    if (!wide) return;
    canvas.width = wide * ratio; canvas.height = high * ratio;
    const pen = canvas.getContext("2d"), style = getComputedStyle(document.body);
    const ink = (name) => style.getPropertyValue(name).trim();
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    pen.textBaseline = "middle";
    const last = this.points.length ? this.points.at(-1)[0] : 0;
    const begin = this.points.length ? this.points[0][0] : 0;
    const x = (frame) => LEFT + (frame - begin) / Math.max(1, last - begin) * (wide - LEFT - RIGHT);
    const y = (score) => TOP + (1 - score) * (high - TOP - BOTTOM);
    pen.textAlign = "right";
    for (const score of [0, 0.5, 1]) {
      pen.strokeStyle = ink("--grid"); pen.lineWidth = 1;
      pen.beginPath(); pen.moveTo(LEFT, y(score)); pen.lineTo(wide - RIGHT, y(score)); pen.stroke();
      pen.fillStyle = ink("--soft"); pen.fillText(String(score), LEFT - 6, y(score));
    }
    if (!this.points.length) return;
    pen.fillText(`frame ${last}`, wide - RIGHT, high - 7);
    pen.textAlign = "left"; pen.fillText(String(begin), LEFT, high - 7);
    for (const name of new Set(this.points.flatMap(([, scores]) => Object.keys(scores)))) this.line(pen, name, x, y);
  }

  line(pen, name, x, y) {
    const line = new Path2D();
    let open = false, from = null;
    for (const [frame, scores] of this.points) {
      const score = scores[name];
      if (score === undefined || score === null) { open = false; continue; }
      if (open) line.lineTo(x(frame), y(score)); else line.moveTo(x(frame), y(score));
      from = open ? from : [x(frame), y(score)]; open = true;
    }
    const colour = name === "" ? getComputedStyle(document.body).getPropertyValue("--main").trim()
      : `rgb(${(this.colours.get(name) || [128, 128, 128]).join(" ")})`;
    pen.lineJoin = "round";
    pen.lineWidth = 2; pen.strokeStyle = colour; pen.stroke(line);
    if (from && this.points.length === 1) { pen.fillStyle = colour; pen.fillRect(from[0] - 2, from[1] - 2, 4, 4); }
  }
}
