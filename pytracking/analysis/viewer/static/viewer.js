"use strict";
(async function () {
  const meta = JSON.parse(document.getElementById("meta").textContent);
  const colours = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7a7a7a", "#8c564b", "#bcbd22", "#17becf"];
  const colour = (i) => colours[i % colours.length];
  const byId = (id) => document.getElementById(id);
  const trackers = meta.order.map((label) => meta.trackers.find((t) => t.label === label));
  const small = { margin: { l: 46, r: 10, t: 30, b: 36 }, font: { size: 11 }, showlegend: false };
  const config = { displayModeBar: false, responsive: true };
  let frame = 0, current = 0, timer = null;
  const library = drawingLibrary();  // the slowest part: begun before the rest

  byId("about").textContent = `Protocol ${meta.protocol}; ${meta.sequences.length} sequences, ${meta.frames} frames`
    + (meta.unscored_frames ? `, ${meta.unscored_frames} of them not scored` : "") + ".";
  byId("notes").textContent = meta.remarks.join(" ");
  scoreTable();
  const stage = new Stage(meta, meta.order.map((_, i) => colour(i)));
  const table = new SequenceTable(meta, open);
  for (const [short, long] of Object.entries(meta.attributes.names || {})) byId("attribute").append(new Option(`${long} (${short})`, short));
  byId("attribute").hidden = !meta.attributes.names;
  byId("filter").oninput = (event) => { table.text = event.target.value; table.show(); };
  byId("attribute").onchange = (event) => { table.attribute = event.target.value; table.show(); };
  byId("legend").innerHTML = '<span class="swatch" style="background:#999"></span>annotation (dashed)';
  meta.order.forEach((label, i) => {
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = colour(i);
    byId("legend").append(swatch, label);
  });

  const [overlap, boxes] = await Promise.all([inflated("overlap"), inflated("boxes"), library]);
  const tracks = new Tracks(meta, overlap, boxes);
  successPlot();
  attributePlot();
  byId("play").onclick = () => (timer ? stop() : start());
  byId("frame").oninput = (event) => show(Number(event.target.value));
  table.select(0);
  window.reportReady = performance.now();

  // As a file of its own, so that browsers compile it beside what the page does meanwhile.
  async function drawingLibrary() {
    const script = document.createElement("script");
    script.src = URL.createObjectURL(new Blob([await inflated("plotly")], { type: "text/javascript" }));
    await new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    URL.revokeObjectURL(script.src);
  }

  function scoreTable() {
    const names = Object.entries({ auc: "AUC", op50: "OP50", op75: "OP75", precision: "Prec.", norm_precision: "Norm prec.", ao: "AO", sr50: "SR 0.50", sr75: "SR 0.75" })
      .filter(([key]) => trackers.some((t) => t.scores[key]));
    const head = byId("scores").createTHead().insertRow();
    for (const title of ["Tracker", ...names.map(([, title]) => title)]) {
      const cell = document.createElement("th");
      cell.textContent = title;
      head.append(cell);
    }
    const body = byId("scores").createTBody();
    trackers.forEach((tracker, i) => {
      const row = body.insertRow();
      const name = row.insertCell();
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = colour(i);
      name.append(swatch, tracker.label);
      for (const [key] of names) {
        const score = tracker.scores[key];
        row.insertCell().textContent = score ? score.mean.toFixed(2) + (score.std === null ? "" : ` \u00b1 ${score.std.toFixed(2)}`) : "-";
      }
    });
  }

  function successPlot() {
    const lines = trackers.map((t, i) => ({ x: meta.thresholds.success, y: t.curves.success, name: t.label, mode: "lines", line: { color: colour(i), width: 2 } }));
    Plotly.newPlot("success", lines, { ...small, title: { text: "Success", font: { size: 13 } }, xaxis: { title: { text: "overlap threshold" }, range: [0, 1] }, yaxis: { range: [0, 100], title: { text: "%" } } }, config);
  }

  function attributePlot() {
    const names = Object.keys(meta.attributes.names || {}).filter((short) => meta.sequences.some((name) => has(name, short)));
    if (!names.length) { byId("overview").className = "one"; return; }
    const lines = trackers.map((t, i) => {
      const values = names.map((short) => mean(meta.sequences.map((name, k) => (has(name, short) ? t.per_sequence.auc[k] : null))));
      return { type: "scatterpolar", r: [...values, values[0]], theta: [...names, names[0]], name: t.label, line: { color: colour(i), width: 2 } };
    });
    Plotly.newPlot("attributes", lines, { ...small, margin: { l: 40, r: 40, t: 40, b: 24 }, title: { text: "AUC by attribute", font: { size: 13 } }, polar: { radialaxis: { rangemode: "tozero", nticks: 5, tickangle: 0 } } }, config);
  }

  function has(name, short) { return ((meta.attributes.sequences || {})[name] || "").split(" ").includes(short); }

  function mean(values) {
    const known = values.filter((v) => v !== null);
    return known.reduce((a, b) => a + b, 0) / known.length;
  }

  function open(index) {
    stop();
    current = index;
    const frames = meta.frame_counts[index];
    byId("name").textContent = `${meta.sequences[index]}: overlap over time`;
    byId("frame").max = frames - 1;
    const values = meta.order.map((_, i) => tracks.overlap(index, i));
    const lines = values.map((y, i) => ({ y, x0: 1, name: meta.order[i], mode: "lines", line: { color: colour(i), width: 1.2 }, connectgaps: false }));
    Plotly.react("overlap", lines, { ...small, margin: { ...small.margin, t: 8 }, hovermode: "x unified", xaxis: { title: { text: "frame" }, range: [1, frames] }, yaxis: { range: [0, 1.02], title: { text: "IoU" } }, shapes: [cursor(1)] }, config);
    if (!byId("overlap").listening) {
      byId("overlap").on("plotly_click", (event) => show(event.points[0].x - 1));
      byId("overlap").listening = true;
    }
    stage.open(index, tracks.boxes(index), (k) => values[0][k] !== null);
    show(0);
  }

  function cursor(x) { return { type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: "#333", width: 1 } }; }

  function show(number) {
    frame = number;
    byId("frame").value = number;
    byId("number").textContent = `frame ${number + 1} of ${meta.frame_counts[current]}`;
    stage.draw(number);
    if (!timer) Plotly.relayout("overlap", { shapes: [cursor(number + 1)] });
  }

  function start() {
    byId("play").textContent = "\u275A\u275A";
    let begun = performance.now(), from = frame >= meta.frame_counts[current] - 1 ? 0 : frame;
    timer = setInterval(() => {
      const next = from + Math.floor((performance.now() - begun) / 1000 * Number(byId("speed").value));
      if (next >= meta.frame_counts[current]) { show(meta.frame_counts[current] - 1); stop(); return; }
      if (next !== frame) show(next);
    }, 16);
  }

  function stop() {
    if (!timer) return;
    clearInterval(timer);
    timer = null;
    byId("play").textContent = "\u25B6";
    show(frame);
  }
})();
