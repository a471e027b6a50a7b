// The picture, the boxes over it, and the box that is being drawn.

const NS = "http://www.w3.org/2000/svg";
const LEAST = 3; // px of the picture: less is a click, not a box

export class Stage {
  // `may()`: whether a box may be drawn now; `begun()`, `drawn(box)`, `clicked(x, y)` tell of it.
  constructor(root, { may, begun, drawn, clicked }) {
    this.root = root;
    this.canvas = root.querySelector("#picture");
    this.svg = root.querySelector("#boxes");
    this.may = may; this.begun = begun; this.drawn = drawn; this.clicked = clicked;
    this.size = null; this.from = null; this.rubber = null; this.shapes = [];
    new ResizeObserver(() => this.fit()).observe(root);
    root.addEventListener("pointerdown", (event) => this.down(event));
    root.addEventListener("pointermove", (event) => this.move(event));
    root.addEventListener("pointerup", (event) => this.up(event));
    root.addEventListener("pointercancel", () => this.cancel());
  }

  async show(jpeg, size) {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    const changed = !this.size || this.size[0] !== size[0] || this.size[1] !== size[1];
    this.size = size;
    this.canvas.width = bitmap.width; this.canvas.height = bitmap.height;
    this.canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    if (changed) this.fit();
  }

  // The largest rectangle of the picture's shape that the stage has room for.
  fit() {
    if (!this.size) return;
    const [w, h] = this.size;
    if (window.matchMedia("(max-width: 760px)").matches) {
      this.root.style.height = `${Math.min(this.root.clientWidth * h / w, window.innerHeight * 0.62)}px`;
    } else this.root.style.height = "";
    const scale = Math.min(this.root.clientWidth / w, this.root.clientHeight / h);
    const place = {
      left: `${(this.root.clientWidth - w * scale) / 2}px`, top: `${(this.root.clientHeight - h * scale) / 2}px`,
      width: `${w * scale}px`, height: `${h * scale}px`,
    };
    Object.assign(this.canvas.style, place); Object.assign(this.svg.style, place);
    this.svg.setAttribute("viewBox", `0 0 ${w} ${h}`);
    this.scale = scale;
    this.draw(this.shapes);
  }

  at(event) {
    const frame = this.canvas.getBoundingClientRect();
    const [w, h] = this.size;
    const x = (event.clientX - frame.left) / frame.width * w, y = (event.clientY - frame.top) / frame.height * h;
    return [Math.min(Math.max(x, 0), w), Math.min(Math.max(y, 0), h)];
  }

  down(event) {
    if (event.button !== 0 || !this.size || !this.may()) return;
    event.preventDefault();
    document.activeElement?.blur?.();
    this.root.setPointerCapture(event.pointerId);
    this.from = this.at(event);
  }

  move(event) {
    if (!this.from) return;
    const box = around(this.from, this.at(event));
    if (!this.rubber && Math.max(box[2], box[3]) >= LEAST) this.begun();
    if (this.rubber || Math.max(box[2], box[3]) >= LEAST) this.rubber = box;
    this.draw(this.shapes);
  }

  up(event) {
    if (!this.from) return;
    const from = this.from, box = around(from, this.at(event));
    this.cancel();
    if (box[2] >= LEAST && box[3] >= LEAST) this.drawn(box.map((side) => Math.round(side * 10) / 10));
    else this.clicked(...from);
  }

  cancel() {
    this.from = this.rubber = null;
    this.draw(this.shapes);
  }

  // `shapes`: {box, colour, dashed, chosen, label}
  draw(shapes) {
    this.shapes = shapes;
    if (!this.size) return;
    const all = this.rubber ? [...shapes, { box: this.rubber, colour: [255, 255, 255], dashed: false, label: "" }] : shapes;
    this.svg.replaceChildren(...all.flatMap((shape) => this.outline(shape)));
  }

  outline({ box, colour, dashed, chosen, label }) {
    const px = 1 / this.scale, width = (chosen ? 3.5 : 2.5) * px, [x, y, w, h] = box;
    const parts = [["rgb(0 0 0 / .75)", width + 2 * px], [`rgb(${colour.join(" ")})`, width]].map(([stroke, thick]) =>
      element("rect", { x, y, width: w, height: h, fill: "none", stroke, "stroke-width": thick,
        "stroke-dasharray": dashed ? `${9 * px} ${7 * px}` : "none" }));
    if (!label) return parts;
    const size = 14 * px, [wide] = this.size;
    const length = (label.length * 0.62 + 0.8) * size;
    const left = Math.max(0, Math.min(x - width / 2, wide - length));
    const top = y - 1.45 * size >= 0 ? y - 1.45 * size : y + width;
    const text = element("text", { x: left + 0.4 * size, y: top + 1.05 * size, fill: "#000", "font-size": size,
      "font-weight": 600, "font-family": "ui-monospace, 'DejaVu Sans Mono', monospace" });
    text.textContent = label;
    return [...parts, element("rect", { x: left, y: top, width: length, height: 1.4 * size, rx: 3 * px,
      fill: `rgb(${colour.join(" ")})` }), text];
  }
}

function element(name, attributes) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function around([x0, y0], [x1, y1]) {
  return [Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)];
}
