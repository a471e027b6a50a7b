// The list of targets. Rows stay while only their numbers change, so that a click on them is not lost.

export class TargetList {
  constructor(root, { choose, remove, rename }) {
    this.root = root; this.choose = choose; this.remove = remove; this.rename = rename;
    this.kind = ""; this.rows = []; this.keys = [];
  }

  // `targets`: {key, name, box, colour, state, score, draft, wrong, removable}
  show(targets, chosen) {
    this.keys = targets.map(({ key }) => key);
    const kind = targets.map(({ draft, removable }) => `${Number(Boolean(draft))}${Number(Boolean(removable))}`).join();
    if (kind !== this.kind) {
      this.kind = kind;
      this.rows = targets.map((target, place) => this.row(target, place));
      this.root.replaceChildren(...this.rows.map(({ li }) => li));
    }
    targets.forEach((target, place) => this.fill(this.rows[place], target, targets.length > 1 && target.key === chosen));
  }

  row({ draft, removable }, place) {
    const li = document.createElement("li");
    const make = (tag, className) => { const made = document.createElement(tag); made.className = className; return made; };
    const swatch = make("span", "swatch"), numbers = make("span", "numbers");
    const name = make(draft ? "input" : "span", draft ? "" : "name"), state = make(draft ? "button" : "span", draft ? "" : "state");
    li.append(swatch, name, state, numbers);
    li.addEventListener("pointerdown", (event) => { if (!event.target.matches("button, input")) this.choose(this.keys[place]); });
    if (draft) {
      name.maxLength = 40; name.autocomplete = "off"; name.spellcheck = false;
      name.setAttribute("aria-label", "id of the target");
      name.addEventListener("input", () => this.rename(this.keys[place], name.value));
      name.addEventListener("focus", () => this.choose(this.keys[place]));
      state.textContent = "Remove";
      state.addEventListener("click", () => this.remove(this.keys[place]));
    } else if (removable) {
      const actions = make("div", "actions"), button = make("button", "");
      button.textContent = "Remove";
      button.addEventListener("click", () => this.remove(this.keys[place]));
      li.classList.add("editable");
      actions.append(button);
      li.append(actions);
    }
    return { li, swatch, name, state, numbers };
  }

  fill({ li, swatch, name, state, numbers }, target, chosen) {
    li.classList.toggle("chosen", chosen);
    swatch.style.background = `rgb(${target.colour.join(" ")})`;
    const digits = target.draft ? 10 : 1;
    const [x, y, w, h] = target.box.map((side) => Math.round(side * digits) / digits);
    numbers.textContent = `${w} × ${h} at ${x}, ${y}`;
    if (target.draft) {
      if (document.activeElement !== name) name.value = target.name;
      name.classList.toggle("wrong", target.wrong);
      name.title = target.wrong ? "Ids differ, and none is empty." : "id";
      return;
    }
    name.textContent = target.name === "" ? "the target" : target.name;
    const score = target.score === null || target.score === undefined ? "" : ` ${target.score.toFixed(2)}`;
    state.className = `state ${target.state}`;
    state.textContent = `${target.state}${score}`;
  }
}
