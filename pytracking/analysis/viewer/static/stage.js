"use strict";
// Boxes played back over the frames: over pictures that the page carries, files of this machine, or nothing.

class Stage {
  constructor(meta, colours) {
    this.meta = meta;
    this.colours = colours;
    this.canvas = document.querySelector("#stage canvas");
    this.context = this.canvas.getContext("2d");
    this.images = document.getElementById("data-images").textContent.split(" ");
    this.starts = [];
    let start = 0;
    for (const frames of meta.pictures) {
      this.starts.push(start);
      start += frames.length;
    }
    this.loaded = new Map();
  }

  open(sequence, boxes, scored) {
    this.sequence = sequence;
    this.boxes = boxes;
    this.scored = scored;
    const [width, height] = this.meta.sizes[sequence];
    const scale = Math.min(1, 960 / width, 540 / height) < 1 ? Math.min(960 / width, 540 / height) : Math.max(1, Math.min(3, 480 / width));
    this.scale = scale;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.loaded.clear();
  }

  // Where the picture of a frame is: [address, the frame that it shows], or null.
  picture(frame) {
    const file = this.meta.files[this.sequence];
    if (file) return [file.before + String(file.first + frame).padStart(file.digits, "0") + file.after, frame];
    const frames = this.meta.pictures[this.sequence];
    let last = -1;
    for (let i = 0; i < frames.length && frames[i] <= frame; i++) last = i;
    if (last < 0) return null;
    return ["data:image/jpeg;base64," + this.images[this.starts[this.sequence] + last], frames[last]];
  }

  draw(frame) {
    this.frame = frame;
    const found = this.picture(frame);
    if (!found) return this.paint(frame, null, frame);
    const [address, shows] = found;
    let image = this.loaded.get(shows);
    if (!image) {
      image = new Image();
      image.onload = () => { if (this.frame === frame) this.paint(frame, image, shows); };
      image.onerror = () => { if (this.frame === frame) this.paint(frame, null, frame); };
      image.src = address;
      if (this.loaded.size > 60) this.loaded.delete(this.loaded.keys().next().value);
      this.loaded.set(shows, image);
    }
    if (image.complete && image.naturalWidth) this.paint(frame, image, shows);
  }

  paint(frame, image, shows) {
    const { context, canvas } = this;
    context.globalAlpha = 1;
    context.fillStyle = "#20262c";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (image) {
      context.globalAlpha = shows === frame ? 1 : 0.55; // of another frame: as a scene only
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      context.globalAlpha = 1;
    }
    this.boxes.forEach((values, row) => {
      if (row === 0 && !this.scored(frame)) return;
      const [x, y, w, h] = boxAt(values, frame, this.meta.step).map((v) => v * this.scale);
      context.strokeStyle = row ? this.colours[row - 1] : "#ffffff";
      context.lineWidth = 2;
      context.setLineDash(row ? [] : [6, 4]);
      context.strokeRect(x, y, w, h);
    });
    context.setLineDash([]);
    if (image && shows !== frame) {
      context.fillStyle = "#ffffff";
      context.fillText(`picture of frame ${shows + 1}`, 8, canvas.height - 8);
    }
  }
}
