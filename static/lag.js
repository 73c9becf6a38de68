// Draws the charts of lag anew from the data the exports have, with a cursor and zoom. Without it, or when the data does not
// come, the server's drawings stay.
(() => {
  "use strict";
  const root = document.getElementById("lag");
  if (!root || typeof uPlot !== "function") return;

  const HEIGHT = 192;
  const span = (low, high) => [low, high, high];
  /** Classes that the page calls by another word than the export. */
  const WORDS = { lower_bound: "at most" };
  const band = (band) => band && [band.p50, band.p99, band.worst, band.class];
  /** Of a stretch: lower edge, upper edge, the line, its class; nothing where that is not kept. */
  const FIGURES = {
    time: { of: (d) => d.items, at: (item) => band(item.ms), said: duration, names: ["median", "99 % at most", "worst"] },
    records: { of: (d) => d.items, at: (item) => band(item.records), said: number, names: ["median", "99 % at most", "worst"] },
    rpo: {
      of: (d) => d.items,
      at: (item) => item.rpo && [...span(item.rpo.ms_at_least, item.rpo.ms_at_most), item.ms?.class ?? "unknown"],
      said: duration,
      names: ["at least", "", "at most"],
    },
    flow_time: {
      of: (d) => d.flow,
      at: (item) => [null, null, item.worst_ms, item.ms_class],
      said: duration,
      names: ["", "", "worst"],
    },
    rpo_hour: {
      of: (d) => d.rpo_course,
      at: (item) => {
        const known = item.ms_at_most !== null;
        const low = known ? (item.ms_at_least ?? null) : null;
        return [low, low === null ? null : item.ms_at_most, item.ms_at_most, known ? "lower_bound" : "unknown"];
      },
      said: duration,
      names: ["at least", "", "at most"],
    },
  };

  function number(n) {
    return Math.round(n).toLocaleString("en");
  }

  /** As the server writes durations. */
  function duration(ms) {
    if (ms < 1000) return ms <= 0 ? "0 s" : `${Math.round(ms)} ms`;
    if (ms < 10_000 && ms % 1000 >= 100) return `${Math.floor(ms / 100) / 10} s`;
    const s = Math.floor(ms / 1000);
    const two = (n) => String(n).padStart(2, "0");
    if (s < 60) return `${s} s`;
    if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} m ${two(s % 60)} s` : `${s / 60} m`;
    if (s < 86_400) return s % 3600 < 60 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} m`;
    return `${Math.floor(s / 86_400)} d`;
  }

  const seconds = (text) => Date.parse(text) / 1000;
  const moment = (s) => new Date(s * 1000).toISOString().slice(0, 19);

  /** A day as the server writes it: `9 Nov`. */
  function date(s) {
    const [, day, month] = new Date(s * 1000).toUTCString().split(" ");
    return `${Number(day)} ${month}`;
  }

  /** A moment in UTC as the server says it: as short as the time of the page allows. What is zoomed into has its seconds, and keeps
      the day that tells it from the other days of the page. */
  function when(data, u, s) {
    const time = new Date(s * 1000).toISOString();
    const { min, max } = u.scales.x;
    const said = max - min < 3 * 3600 ? time.slice(11, 19) : time.slice(11, 16);
    return seconds(data.to) - seconds(data.from) < 25 * 3600 ? said : `${date(s)} ${said}`;
  }

  /** A colour of the page, as a canvas takes it. */
  function ink(name) {
    const probe = document.createElement("i");
    probe.className = `lag-ink ${name}`;
    root.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }

  /** Columns: time, lower edge, upper edge, the line, the line where it is stale. A line breaks where something is missing, and where the
      figure is not kept of a stretch. */
  function columns(data, figure) {
    const found = figure.of(data).map((item) => [item.at, figure.at(item)]);
    if (!found.some(([, kept]) => kept)) return { table: [[], [], [], [], []], classes: [] };
    const rows = found.map(([at, kept]) => [seconds(at), ...(kept ?? [null, null, null, "unknown"])]);
    for (const gap of data.gaps.filter((gap) => gap.why === "not_recorded")) {
      rows.push([seconds(gap.from) + 0.001, null, null, null, "unknown"]);
    }
    rows.sort((a, b) => a[0] - b[0]);
    const table = [[], [], [], [], []];
    const classes = [];
    rows.forEach(([at, low, high, worst, sure], i) => {
      const stale = sure === "stale";
      const before = stale && i > 0 && rows[i - 1][4] !== "stale";
      if (before) table[4][i - 1] = rows[i - 1][3];
      table[0].push(at);
      table[1].push(low);
      table[2].push(high);
      table[3].push(stale ? null : worst);
      table[4].push(stale ? worst : null);
      classes.push(WORDS[sure] ?? sure);
    });
    return { table, classes };
  }

  function hatch(u, from, to, colour) {
    const left = u.valToPos(from, "x", true);
    const right = Math.max(u.valToPos(to, "x", true), left + 2);
    const { top, height } = u.bbox;
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(Math.max(left, u.bbox.left), top, Math.min(right, u.bbox.left + u.bbox.width) - Math.max(left, u.bbox.left), height);
    ctx.clip();
    ctx.strokeStyle = colour;
    ctx.lineWidth = devicePixelRatio;
    for (let x = left - height; x < right; x += 8 * devicePixelRatio) {
      ctx.beginPath();
      ctx.moveTo(x, top + height);
      ctx.lineTo(x + height, top);
      ctx.stroke();
    }
    ctx.restore();
  }

  function rule(u, [x1, y1, x2, y2], colour, dashes) {
    const { ctx } = u;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.25 * devicePixelRatio;
    ctx.setLineDash(dashes.map((n) => n * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(x1, y1);
    ctx.lineTo(x2, y2);
    ctx.stroke();
    ctx.restore();
  }

  /** What uPlot knows nothing of: gaps below the lines, objective and marks above. */
  function below(data, figure, u) {
    for (const gap of gapsOf(data, figure)) hatch(u, seconds(gap.from), seconds(gap.to), ink("gap"));
  }

  /** Hours of which it is not known what a death would have cost; those that follow one another for the same reason are one. */
  function gapsOfHours(data) {
    const end = Date.parse(data.to) < Date.parse(data.answered_at) ? data.to : data.answered_at;
    const gaps = [];
    data.rpo_course.forEach(({ at, why }, i) => {
      if (!why) return;
      const to = data.rpo_course[i + 1]?.at ?? end;
      const last = gaps.at(-1);
      if (last?.to === at && last.why === why) last.to = to;
      else gaps.push({ from: at, to, why });
    });
    return gaps;
  }

  /** Why a stretch whose records are known is not known in time, where that is so. */
  function notInTime(data, item) {
    if (item.why) return null;
    if (!item.ms) return data.topic ? "not_in_time" : null;
    return item.ms.worst === null ? "longer_than_looked_at" : null;
  }

  /** Gaps of a figure: those of all, and where it is not known since when records are missing. */
  function gapsOf(data, figure) {
    if (figure === FIGURES.rpo_hour) return gapsOfHours(data);
    const gaps = [...data.gaps];
    if (figure.of(data) !== data.items || figure === FIGURES.records) return gaps;
    let last = null;
    data.items.forEach((item, i) => {
      const why = notInTime(data, item);
      if (!why) {
        last = null;
        return;
      }
      const to = data.items[i + 1]?.at ?? data.to;
      if (last?.why === why) {
        last.to = to;
        return;
      }
      last = { from: item.at, to, why };
      gaps.push(last);
    });
    return gaps;
  }

  const WHY = {
    not_in_time: "not kept, or not told yet",
    longer_than_looked_at: "missing for longer than surveys were looked at",
    not_recorded: "nothing recorded",
    in_the_hour: "not known in the hour",
    target_not_known: "target not known",
    source_not_read: "source not read",
  };

  /** The names of gaps that have room for them, and the highest point. */
  function name(data, figure, table, u) {
    const { left, top, width, height } = u.bbox;
    for (const gap of gapsOf(data, figure)) {
      const from = Math.max(u.valToPos(seconds(gap.from), "x", true), left);
      const to = Math.min(u.valToPos(seconds(gap.to), "x", true), left + width);
      if (to - from < 0.06 * width) continue;
      const right = from - left > width / 2;
      const long = duration((seconds(gap.to) - seconds(gap.from)) * 1000);
      const at = right ? to - 6 * devicePixelRatio : from + 8 * devicePixelRatio;
      write(u, `${long}: ${WHY[gap.why]}`, at, top + height - 8 * devicePixelRatio, "named", right ? "right" : "left");
    }
    const { min, max } = u.scales.x;
    let peak = null;
    table[0].forEach((at, i) => {
      const value = table[3][i] ?? table[4][i];
      if (value > 0 && at >= min && at <= max && (peak === null || value > peak.value)) peak = { at, value };
    });
    if (peak === null) return;
    const x = u.valToPos(peak.at, "x", true);
    const y = Math.max(u.valToPos(peak.value, "y", true) - 8 * devicePixelRatio, top + 12 * devicePixelRatio);
    write(u, `${figure.said(peak.value)} at ${when(data, u, peak.at)}`, x, y, "goal", x - left > width / 2 ? "right" : "left");
  }

  function above(data, goal, u) {
    const { left, top, width, height } = u.bbox;
    for (const mark of data.marks) {
      const x = u.valToPos(seconds(mark.from), "x", true);
      if (x >= left && x <= left + width) rule(u, [x, top, x, top + height], ink(`mark-${mark.kind}`), [2, 3]);
    }
    if (goal === null) return;
    const y = u.valToPos(goal, "y", true);
    if (y < top) return;
    rule(u, [left, y, left + width, y], ink("goal"), [6, 4]);
    write(u, `objective ${duration(goal)}`, left + 2 * devicePixelRatio, y - 6 * devicePixelRatio, "goal", "left");
  }

  /** Words in a drawing, legible over lines. */
  function write(u, text, x, y, colour, align) {
    const { ctx } = u;
    ctx.save();
    ctx.font = `550 ${12 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = align;
    ctx.textBaseline = "alphabetic";
    ctx.lineJoin = "round";
    ctx.lineWidth = 4 * devicePixelRatio;
    ctx.strokeStyle = ink("paper");
    ctx.strokeText(text, x, y);
    ctx.fillStyle = ink(colour);
    ctx.fillText(text, x, y);
    ctx.restore();
  }

  /** A moment on the axis, as short as the time that is shown allows. */
  function tick(u, at) {
    const text = new Date(at * 1000).toISOString();
    const shown = u.scales.x.max - u.scales.x.min;
    if (shown > 2 * 86_400) return date(at);
    return shown < 600 ? text.slice(11, 19) : text.slice(11, 16);
  }

  function options(data, figure, table, goal, width, tell, closer) {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { font, stroke: ink("axis"), grid: { stroke: ink("grid"), width: 1 }, ticks: { show: false } };
    const line = { points: { show: false }, spanGaps: false };
    return {
      width,
      height: HEIGHT + 22,
      legend: { show: false },
      tzDate: (s) => uPlot.tzDate(new Date(s * 1000), "Etc/UTC"),
      cursor: { sync: { key: "lag" }, points: { size: 6 }, drag: { x: true, y: false } },
      scales: {
        x: { time: true, range: (_, min, max) => (min === null ? [seconds(data.from), seconds(data.to)] : [min, max]) },
        y: { range: (_, min, max) => [0, Math.max(max ?? 0, goal ?? 0, 1) * 1.25] },
      },
      axes: [
        { ...axis, size: 22, gap: 4, space: 70, values: (u, splits) => splits.map((at) => tick(u, at)) },
        { ...axis, size: 58, values: (_, splits) => splits.map((value) => figure.said(value)), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5, 144e5, 432e5, 864e5, 1e9, 1e10] },
      ],
      series: [
        {},
        { ...line, stroke: ink("soft"), width: 1.25 },
        { ...line, width: 0 },
        { ...line, stroke: ink("worst"), width: 1.75 },
        { ...line, stroke: ink("stale"), width: 1.75, dash: [2, 4] },
      ],
      bands: [{ series: [2, 1], fill: ink("area") }],
      hooks: {
        drawClear: [(u) => below(data, figure, u)],
        draw: [(u) => above(data, goal, u), (u) => name(data, figure, table, u)],
        setCursor: [(u) => tell(u)],
        setScale: [(u, key) => key === "x" && closer(u)],
      },
    };
  }

  /** In words what is under the cursor. */
  function telling(place, data, figure, { table, classes }) {
    return (u) => {
      const index = u.cursor.idx;
      if (index === null || index === undefined) {
        place.textContent = "";
        return;
      }
      const said = (value) => (value === null || value === undefined ? "not known" : figure.said(value));
      const worst = table[3][index] ?? table[4][index];
      const parts = [`${when(data, u, table[0][index])} UTC`, `${figure.names[2]} ${said(worst)} (${classes[index].replace("_", " ")})`];
      figure.names.slice(0, 2).forEach((name, i) => name && parts.push(`${name} ${said(table[i + 1][index])}`));
      place.textContent = parts.join(" · ");
    };
  }

  function add(parent, element, className) {
    const made = document.createElement(element);
    made.className = className;
    parent.append(made);
    return made;
  }

  /** One chart in place of the server's; answers what draws it anew. */
  function draw(chart, data) {
    const figure = FIGURES[chart.dataset.draw];
    const columned = columns(data, figure);
    if (columned.table[0].length === 0) return () => {};
    const goal = chart.dataset.draw === "records" ? null : data.objective_ms;
    const spoken = chart.querySelectorAll("svg.plot > title, svg.plot > desc");
    const label = [...spoken].map((part) => part.textContent).join(". ");
    const drawn = document.createElement("div");
    drawn.className = "drawn";
    const place = add(drawn, "div", "canvas");
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", label);
    const tell = telling(add(drawn, "p", "readout"), data, figure, columned);
    const link = add(drawn, "a", "closer");
    link.hidden = true;
    const closer = (u) => {
      const { min: from, max: to } = u.scales.x;
      const whole = from <= seconds(data.from) + 1 && to >= seconds(data.to) - data.width_ms / 1000 - 1;
      link.hidden = whole || from === null;
      if (link.hidden) return;
      const address = new URL(location.href);
      address.searchParams.delete("range");
      address.searchParams.set("from", moment(from));
      address.searchParams.set("to", moment(to));
      link.href = address.href;
      link.textContent = `Show lag from ${when(data, u, from)} to ${when(data, u, to)} UTC only`;
    };
    chart.replaceWith(drawn);
    let plot;
    const make = () => {
      plot?.destroy();
      plot = new uPlot(options(data, figure, columned.table, goal, Math.max(place.clientWidth, 200), tell, closer), columned.table, place);
      plot.setScale("x", { min: seconds(data.from), max: seconds(data.to) });
    };
    make();
    new ResizeObserver(() => plot.setSize({ width: Math.max(place.clientWidth, 200), height: HEIGHT + 22 })).observe(place);
    return make;
  }

  fetch(root.dataset.lag, { headers: { accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`${answer.status}`))))
    .then((data) => {
      const drawn = [...root.querySelectorAll(".course-chart[data-draw]")].map((chart) => draw(chart, data));
      const again = () => drawn.forEach((make) => make());
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
      document.querySelector("form.theme")?.addEventListener("change", again);
    })
    .catch(() => {
      // The server's drawings say the same.
    });
})();
