"use strict";
// The table of sequences: sorted by a click on a heading, filtered by name and attribute.

class SequenceTable {
  constructor(meta, onSelect) {
    this.meta = meta;
    this.onSelect = onSelect;
    this.rows = meta.sequences.map((name, index) => this.row(name, index));
    this.sorted = { column: 0, down: false };
    this.text = "";
    this.attribute = "";
    this.columns = ["Sequence", "Frames", ...meta.order, "Best", "Spread"];
    this.head();
    this.show();
  }

  row(name, index) {
    const overlaps = this.meta.order.map((label) => {
      const tracker = this.meta.trackers.find((t) => t.label === label);
      const value = tracker.per_sequence.mean_overlap[index];
      return value === null ? NaN : 100 * value;
    });
    const known = overlaps.filter((v) => !Number.isNaN(v));
    const best = known.length ? overlaps.indexOf(Math.max(...known)) : -1;
    const spread = known.length ? Math.max(...known) - Math.min(...known) : NaN;
    const attributes = ((this.meta.attributes.sequences || {})[name] || "").split(" ");
    const values = [name, this.meta.frame_counts[index], ...overlaps, best < 0 ? "" : this.meta.order[best], spread];
    return { index, values, best, attributes };
  }

  head() {
    const row = document.createElement("tr");
    this.columns.forEach((title, column) => {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      button.textContent = title;
      button.title = column > 1 && column < 2 + this.meta.order.length ? "mean overlap, %" : title;
      button.onclick = () => this.sortBy(column);
      cell.append(button);
      row.append(cell);
    });
    document.querySelector("#sequences thead").append(row);
  }

  sortBy(column) {
    const numbers = typeof this.rows[0].values[column] === "number";
    const same = this.sorted.column === column;
    this.sorted = { column, down: same ? !this.sorted.down : numbers };
    this.show();
  }

  visible() {
    const wanted = this.text.toLowerCase();
    return this.rows.filter((row) => row.values[0].toLowerCase().includes(wanted)
      && (!this.attribute || row.attributes.includes(this.attribute)));
  }

  show() {
    const { column, down } = this.sorted;
    const order = (a, b) => {
      const [x, y] = [a.values[column], b.values[column]];
      if (typeof x === "string") return x.localeCompare(y, "en", { numeric: true });
      return (Number.isNaN(x) ? -1 : x) - (Number.isNaN(y) ? -1 : y);
    };
    const rows = this.visible().sort((a, b) => (down ? order(b, a) : order(a, b)));
    document.querySelectorAll("#sequences th").forEach((cell, i) => {
      cell.setAttribute("aria-sort", i === column ? (down ? "descending" : "ascending") : "none");
    });
    const body = document.createElement("tbody");
    for (const row of rows) body.append(this.element(row));
    document.querySelector("#sequences tbody").replaceWith(body);
    document.getElementById("count").textContent = `${rows.length} of ${this.rows.length}`;
  }

  element(row) {
    const element = document.createElement("tr");
    element.dataset.index = row.index;
    element.setAttribute("aria-selected", row.index === this.selected);
    row.values.forEach((value, column) => {
      const cell = document.createElement("td");
      const decimal = typeof value === "number" && column !== 1;
      cell.textContent = decimal ? (Number.isNaN(value) ? "-" : value.toFixed(1)) : value;
      if (column - 2 === row.best && row.best >= 0) cell.className = "best";
      element.append(cell);
    });
    element.onclick = () => this.select(row.index);
    return element;
  }

  select(index) {
    this.selected = index;
    document.querySelectorAll("#sequences tbody tr").forEach((row) => {
      row.setAttribute("aria-selected", Number(row.dataset.index) === index);
    });
    this.onSelect(index);
  }
}
