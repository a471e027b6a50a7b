"use strict";
// Tracks as the page carries them: deflated bytes in base64, decoded when they are first asked for.

async function inflated(id) {
  const text = document.getElementById("data-" + id).textContent;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  writer.write(bytes);
  writer.close();
  const parts = [];
  let length = 0;
  for (const reader = stream.readable.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

class Tracks {
  constructor(meta, overlap, boxes) {
    this.meta = meta;
    this.trackers = meta.order.length;
    this.overlapBytes = overlap;
    this.low = boxes.subarray(0, boxes.length / 2);
    this.high = boxes.subarray(boxes.length / 2);
    this.starts = []; // of every sequence: in overlap, in boxes
    let a = 0, b = 0;
    for (const frames of meta.frame_counts) {
      this.starts.push([a, b]);
      a += this.trackers * frames;
      b += (this.trackers + 1) * Math.ceil(frames / meta.step) * 4;
    }
  }

  // IoU of a tracker in every frame; null where the frame is not scored.
  overlap(sequence, tracker) {
    const frames = this.meta.frame_counts[sequence];
    const start = this.starts[sequence][0] + tracker * frames;
    return Array.from(this.overlapBytes.subarray(start, start + frames), (v) => (v === 255 ? null : v / 254));
  }

  // Boxes of the annotation (row 0) and of every tracker: Float32Array of x, y, w, h every meta.step frames.
  boxes(sequence) {
    const count = Math.ceil(this.meta.frame_counts[sequence] / this.meta.step) * 4;
    const scale = this.meta.scales[sequence];
    const rows = [];
    for (let row = 0; row <= this.trackers; row++) {
      const start = this.starts[sequence][1] + row * count;
      const values = new Float32Array(count);
      const last = [0, 0, 0, 0];
      for (let i = 0; i < count; i++) {
        const z = this.low[start + i] + 256 * this.high[start + i];
        last[i % 4] += z % 2 ? -(z + 1) / 2 : z / 2;
        values[i] = last[i % 4] / scale;
      }
      rows.push(values);
    }
    return rows;
  }
}

// The box of a frame, between those that are there.
function boxAt(values, frame, step) {
  const position = frame / step;
  const low = Math.min(Math.floor(position), values.length / 4 - 1);
  const high = Math.min(low + 1, values.length / 4 - 1);
  const part = position - low;
  return [0, 1, 2, 3].map((k) => values[4 * low + k] * (1 - part) + values[4 * high + k] * part);
}
