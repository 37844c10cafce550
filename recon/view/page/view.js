// The page: a stream of messages, two pictures, small charts, buttons. Text from the store is set as text, never as HTML.

import { chart, say } from "./charts.js";
import { Picture, View } from "./pictures.js";

const SILENT_MS = 3500, AGAIN_MS = 1000;
const token = location.hash.slice(1);
const by = (id) => document.getElementById(id);
const view = new View();
const left = new Picture(by("left"), view, load), right = new Picture(by("right"), view, load);
let socket = null, state = null, heard = 0, lostAt = null, refused = false, dragging = false;

async function load(name, key, version) {
  const answer = await fetch(`/tile/${name}/${key}?v=${version}`, { headers: { "X-Stemscan-Token": token } });
  if (!answer.ok) return null;
  const limits = JSON.parse(answer.headers.get("X-Limits"));
  return { bitmap: await createImageBitmap(await answer.blob()), limits };
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/feed`);
  socket.addEventListener("open", () => socket.send(JSON.stringify({ token })));
  socket.addEventListener("message", (event) => {
    heard = Date.now();
    if (lostAt !== null) { left.version = right.version = -1; }
    lostAt = null;
    show(JSON.parse(event.data));
  });
  socket.addEventListener("close", (event) => {
    refused = event.code === 4401;
    lose();
    if (!refused && !state?.ended) setTimeout(connect, AGAIN_MS);
  });
}

function lose() {
  lostAt ??= new Date();
  alarm();
}

setInterval(() => {
  if (lostAt === null && heard && Date.now() - heard > SILENT_MS) { lose(); socket.close(); }
}, 250);

function alarm() {
  let words = "";
  if (refused) words = "This address has no valid token: open the one that stemscan printed.";
  else if (lostAt !== null && state?.ended) words = `${state.ended} The page has ended: what is below is as it was then.`;
  else if (lostAt !== null) words = `Connection lost at ${lostAt.toLocaleTimeString()}: nothing below is current. Trying again.`;
  else if (state?.ended) words = `${state.ended} What is below is as it was then.`;
  else if (state?.problem) words = `The store cannot be read now: ${state.problem}${state.shape ? ". What is below is older." : ""}`;
  by("alarm").hidden = !words;
  if (by("alarm").textContent !== words) by("alarm").textContent = words;
  document.body.classList.toggle("lost", (lostAt !== null && !state?.ended) || refused);
  document.body.classList.toggle("old", Boolean(state?.problem));
  for (const button of document.querySelectorAll("#buttons button")) button.disabled = lostAt !== null || Boolean(state?.ended);
}

function show(message) {
  if ("buttons" in message) { by("buttons").hidden = !message.buttons.length; return; }
  state = message;
  alarm();
  by("name").textContent = message.name;
  by("name").title = message.path;
  document.title = `${message.name} – stemscan watch`;
  showLog(message.log);
  if (!message.shape) { by("words").textContent = message.problem ? "" : "waiting for samples"; return; }
  by("words").textContent = message.words;
  showNumbers(message);
  showPictures(message);
  showReplay(message.replay);
  showCharts(message);
}

function showNumbers(message) {
  by("bar").value = message.samples / Math.max(message.total, 1);
  const replayed = message.samples < message.committed ? ` shown of ${grouped(message.committed)}` : "";
  const rows = [
    ["pass", `${message.pass} of ${message.passes}`],
    ["samples", `${grouped(message.samples)}${replayed || ` of ${grouped(message.total)}`}`],
    ["visited", `${(100 * message.visited).toPrecision(3)} % of pixels`],
    ["grid", `${message.shape[0]} × ${message.shape[1]}`],
  ];
  if (message.seconds_left !== null) rows.splice(2, 0, ["time left", duration(message.seconds_left)]);
  fill(by("numbers"), rows.map(([name, value]) => {
    const row = document.createElement("div");
    row.append(text("dt", name), text("dd", value));
    return row;
  }));
}

function showPictures(message) {
  const { image } = message, measured = message.samples ? message.version : 0;
  for (const option of right.select.options) option.disabled = Boolean(image.version) && !image.pictures.includes(option.value);
  left.take(measured, message.shape, message.levels, message.pixel_size_nm);
  right.take(image.version, message.shape, message.levels, message.pixel_size_nm);
  left.note.textContent = `${(100 * message.visited).toPrecision(3)} % of pixels visited, ${message.electrons_per_sample} e⁻ a sample at signal 1`;
  right.note.textContent = image.problem || (image.version
    ? `after ${image.passes ? `pass ${image.passes}` : `${grouped(image.samples)} samples`}, ${image.method}, ${image.seconds} s`
      + (image.block > 1 ? `, of ${image.block} x ${image.block} pixels each` : "")
      + (image.threshold === null ? "" : `; ${image.contradictions.length} contradicted`)
    : image.busy.includes("image") ? "being made" : "after the first pass");
  by("busy").textContent = image.busy.length ? `in the making: ${image.busy.join(", ")}` : "";
  left.overlay = left.name === "path" ? (pen, at) => drawMoves(pen, at, message.beam.moves) : null;
  right.overlay = (pen, at, zoom, ratio) => drawFound(pen, at, zoom, ratio, message);
}

function drawMoves(pen, at, moves) {
  pen.strokeStyle = "#fde725";
  pen.beginPath();
  moves.forEach(([row, column], index) => (index ? pen.lineTo(...at(row, column)) : pen.moveTo(...at(row, column))));
  pen.stroke();
}

function drawFound(pen, at, zoom, ratio, message) {
  const ring = (row, column, size, colour) => {
    pen.strokeStyle = colour;
    pen.beginPath();
    pen.arc(...at(row, column), size, 0, 2 * Math.PI);
    pen.stroke();
  };
  pen.lineWidth = 1.5 * ratio;
  const size = Math.min(Math.max(3 * zoom, 2 * ratio), 9 * ratio);
  message.columns?.places.forEach(([row, column], index) =>
    ring(row, column, size, message.columns.doubtful[index] ? "#e69f00" : "#56b4e9"));
  if (right.name !== "std") for (const [row, column] of message.image.contradictions ?? []) ring(row, column, 12 * ratio, "#d55e00");
}

function showReplay(replay) {
  by("replay").hidden = !replay;
  if (!replay) return;
  by("pause").textContent = replay.paused ? "Go on" : "Pause";
  if (!dragging) { by("at").max = replay.end; by("at").value = replay.at; }
  if (document.activeElement !== by("speed")) by("speed").value = replay.speed;
  by("clock").textContent = `${replay.at.toFixed(2)} of ${replay.end.toFixed(2)} s`;
}

function showCharts(message) {
  showDose(message);
  const { counts, spread, quality, beam } = message;
  const middles = counts.edges.slice(0, -1).map((one, index) => (one + counts.edges[index + 1]) / 2);
  chart(by("counts"), {
    x: "electrons in a sample", y: "samples", zero: true, note: counts.by ? `bars: counted; line: ${counts.by}` : null,
    series: [{ kind: "bars", x: counts.edges, y: counts.numbers }, { kind: "line", x: middles, y: counts.expected, style: "second" }],
  });
  if (spread) {
    const top = Math.max(...spread.means);
    chart(by("spread"), {
      x: "mean, electrons", y: "variance", zero: true,
      note: `variance ${spread.slope.toPrecision(3)} times the mean, by ${spread.against}; line: Poisson`,
      series: [{ kind: "line", x: [0, top], y: [0, top], style: "second dashed" },
        { kind: "dots", x: spread.means, y: spread.variances, errors: spread.errors.map((one) => 2 * one) }],
    });
  } else { by("spread").replaceChildren(); say(by("spread"), "known once pixels were visited twice, or of a simulation"); }
  if (quality.length) {
    chart(by("quality"), {
      x: "passes", y: "PSNR, dB", note: "of an image of three quarters of the samples, by the rest",
      series: [{ kind: "line", x: quality.map(([one]) => one), y: quality.map(([, one]) => one) },
        { kind: "dots", x: quality.map(([one]) => one), y: quality.map(([, one]) => one) }],
    });
  } else { by("quality").replaceChildren(); say(by("quality"), "known after the first image"); }
  showDrift(message);
  chart(by("beam"), {
    x: "column", y: "row", down: true, note: `last ${beam.moves.length} of ${grouped(beam.samples)} samples of the last second`,
    series: [{ kind: "line", x: beam.moves.map(([, one]) => one), y: beam.moves.map(([one]) => one) }],
  });
}

function showDose(message) {
  const { dose } = message, place = by("dose");
  place.replaceChildren();
  if (dose.area !== null) {
    const limit = message.dose_limit ?? message.dose_planned, meter = document.createElement("meter");
    Object.assign(meter, { min: 0, max: limit, value: Math.min(dose.area, limit) });
    meter.setAttribute("aria-label", "dose");
    const of = message.dose_limit === null ? `${digits(message.dose_planned)} planned, no limit set` : `the limit of ${digits(limit)}`;
    place.append(text("p", `${digits(dose.area)} of ${of}, incident e⁻/Å²`), meter);
  } else if (dose.electrons !== null) place.append(text("p", `${digits(dose.electrons)} incident e⁻; per area unknown without a pixel size`));
  else place.append(text("p", "no ledger: data measured elsewhere"));
  const table = document.createElement("table");
  for (const row of dose.rows) {
    const line = document.createElement("tr");
    line.append(...row.map((one) => text("td", one)));
    table.append(line);
  }
  place.append(table);
}

function showDrift(message) {
  const { drift, moves } = message, series = [], notes = [];
  const found = drift.found?.line ?? drift.stored;
  if (found) {
    for (const [name, style] of [["rows", "first"], ["columns", "second"]]) {
      if (name === "rows") series.push({ kind: "band", x: found.times, y: found.rows.map((one, index) => one + 2 * found.std[index]), low: found.rows.map((one, index) => one - 2 * found.std[index]) });
      series.push({ kind: "line", x: found.times, y: found[name], style });
    }
    notes.push(drift.found ? drift.found.words : "stored");
  } else if (drift.found) notes.push(drift.found.words);
  if (drift.truth) {
    for (const [name, style] of [["rows", "first dashed"], ["columns", "second dashed"]]) series.push({ kind: "line", x: drift.truth.times, y: drift.truth[name], style });
    notes.push("dashed: the simulation's own");
  }
  if (moves.length) notes.push(`field at (${moves.at(-1).map((one) => one.toFixed(1)).join(", ")}) px in pass ${moves.length}`);
  if (drift.problem) notes.push(drift.problem);
  if (series.length) notes.unshift("blue rows, orange columns");
  chart(by("drift"), { x: found?.unit ?? drift.truth?.unit ?? "", y: "offset, px", series, note: notes.join("; ") || "not looked for; press Find drift" });
}

function showLog(lines) {
  const box = by("log"), old = box.childElementCount;
  if (old === lines.length && box.lastElementChild?.lastChild.textContent === lines.at(-1)?.[1]) return;
  fill(box, lines.map(([time, words]) => {
    const line = document.createElement("li");
    line.append(text("time", time ? new Date(time).toLocaleTimeString() : ""), text("span", words));
    return line;
  }));
  box.scrollTop = box.scrollHeight;
}

function text(name, words) {
  const made = document.createElement(name);
  made.textContent = words;
  return made;
}

function fill(place, parts) { place.replaceChildren(...parts); }
function grouped(number) { return Number(number).toLocaleString("en-GB").replaceAll(",", "\u202f"); }
function digits(number) { return Number(number.toPrecision(4)).toString(); }

function duration(seconds) {
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function wish(what) { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what)); }

async function press(name) {
  by("pressed").textContent = "sent";
  try {
    const answer = await fetch(`/press/${name}`, {
      method: "POST", headers: { "X-Stemscan-Token": token, "Content-Type": "application/json" }, body: "{}",
    });
    by("pressed").textContent = answer.ok ? (await answer.json()).words : `not done: ${await answer.text()}`;
  } catch { by("pressed").textContent = "not done: no connection; use Ctrl-C at the terminal"; }
}

function save() {
  const parts = [left, right].filter((one) => one.canvas.width), strip = 34;
  const sheet = document.createElement("canvas");
  sheet.width = parts.reduce((sum, one) => sum + one.canvas.width, 0) + 10 * (parts.length - 1);
  sheet.height = Math.max(...parts.map((one) => one.canvas.height)) + 2 * strip;
  const pen = sheet.getContext("2d"), ratio = window.devicePixelRatio || 1;
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.fillStyle = "#1a1a1a";
  pen.font = "16px system-ui, sans-serif";
  pen.fillText(`${state?.name ?? ""}: ${state?.words ?? ""}${lostAt ? " (connection lost)" : ""}, ${grouped(state?.samples ?? 0)} samples`, 8, 22);
  let at = 0;
  for (const one of parts) {
    pen.drawImage(one.canvas, at, strip);
    const bar = parseFloat(one.rule.style.width) * ratio, foot = strip + one.canvas.height;
    pen.fillRect(at + 8, foot + 14, bar, 5);
    const words = [one.parts.length.textContent, one.select.selectedOptions[0].text, `${one.parts.low.textContent} to ${one.parts.high.textContent}`];
    pen.fillText(words.join(";  "), at + bar + 16, foot + 22);
    at += one.canvas.width + 10;
  }
  sheet.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${(state?.name ?? "scan").replace(/\.zarr$/, "")}-view.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try { localStorage.setItem("stemscan-theme", name); } catch { /* a browser that keeps nothing */ }
}

const one = () => view.setZoom(1 / (window.devicePixelRatio || 1));
const KEYS = {
  "+": () => view.scale(1.5), "=": () => view.scale(1.5), "-": () => view.scale(1 / 1.5),
  0: () => view.fit(), 1: one, m: () => left.next(), n: () => right.next(), s: save, t: theme,
  r: () => wish({ make: "image" }), c: () => wish({ make: "columns" }), d: () => wish({ make: "drift" }),
  " ": () => state?.replay && wish({ paused: !state.replay.paused }), "?": () => by("help").showModal(),
  ArrowUp: () => view.move(-60 / view.zoom, 0), ArrowDown: () => view.move(60 / view.zoom, 0),
  ArrowLeft: () => view.move(0, -60 / view.zoom), ArrowRight: () => view.move(0, 60 / view.zoom),
};

document.addEventListener("keydown", (event) => {
  const inField = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || (event.target.tagName === "BUTTON" && event.key === " ");
  if (inField || by("help").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = KEYS[event.key];
  if (action) { event.preventDefault(); action(); }
});
for (const button of document.querySelectorAll("[data-press]")) button.addEventListener("click", () => press(button.dataset.press));
for (const button of document.querySelectorAll("[data-make]")) button.addEventListener("click", () => wish({ make: button.dataset.make }));
const VIEWS = { fit: () => view.fit(), one, in: () => view.scale(1.5), out: () => view.scale(1 / 1.5) };
for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => VIEWS[button.dataset.view]());
by("save").addEventListener("click", save);
by("theme").addEventListener("click", theme);
by("help-button").addEventListener("click", () => by("help").showModal());
by("pause").addEventListener("click", () => wish({ paused: !state.replay.paused }));
by("end").addEventListener("click", () => wish({ at: state.replay.end }));
by("at").addEventListener("input", () => { dragging = true; });
by("at").addEventListener("change", () => { dragging = false; wish({ at: Number(by("at").value) }); });
by("speed").addEventListener("change", () => wish({ speed: Number(by("speed").value) }));
try { const kept = localStorage.getItem("stemscan-theme"); if (kept) setTheme(kept); } catch { /* as above */ }
window.pagesShown = () => [left.shown, right.shown];
connect();
