// Small charts as SVG: axes with round numbers, lines, bars, dots, a band.

const NS = "http://www.w3.org/2000/svg";
const WIDE = 380, HIGH = 210, LEFT = 46, RIGHT = 8, TOP = 8, BOTTOM = 34;

function element(parent, name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return Number(value.toPrecision(6)).toString();
}

// series: {kind: "line" | "bars" | "dots" | "band", x, y, errors, low, style}
export function chart(place, { series, x, y, note, label, zero = false, down = false }) {
  place.replaceChildren();
  const finite = (values) => values.filter((one) => one !== null && Number.isFinite(one));
  const xs = finite(series.flatMap((one) => one.x)), ys = finite(series.flatMap((one) => one.low ? [...one.y, ...one.low] : one.y));
  if (!xs.length || !ys.length) { say(place, note ?? "nothing yet"); return; }
  let [x0, x1] = [Math.min(...xs), Math.max(...xs)], [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  if (zero) y0 = Math.min(0, y0);
  if (x1 <= x0) { x0 -= 0.5; x1 += 0.5; }
  if (y1 <= y0) { y0 -= 0.5; y1 += 0.5; }
  const margin = zero ? 0 : 0.05 * (y1 - y0);
  y0 -= margin; y1 += 0.05 * (y1 - y0);
  const px = (value) => LEFT + (value - x0) / (x1 - x0) * (WIDE - LEFT - RIGHT);
  const py = (value) => down ? TOP + (value - y0) / (y1 - y0) * (HIGH - TOP - BOTTOM)
    : HIGH - BOTTOM - (value - y0) / (y1 - y0) * (HIGH - TOP - BOTTOM);
  const svg = element(place, "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label ?? `${y} against ${x}` });
  for (const at of ticks(x0, x1, 6)) {
    element(svg, "line", { class: "axis", x1: px(at), x2: px(at), y1: HIGH - BOTTOM, y2: HIGH - BOTTOM + 4 });
    element(svg, "text", { x: px(at), y: HIGH - BOTTOM + 15, "text-anchor": "middle" }, short(at));
  }
  for (const at of ticks(y0, y1, 4)) {
    element(svg, "line", { class: "axis", x1: LEFT, x2: WIDE - RIGHT, y1: py(at), y2: py(at) });
    element(svg, "text", { x: LEFT - 5, y: py(at) + 4, "text-anchor": "end" }, short(at));
  }
  element(svg, "text", { x: WIDE - RIGHT, y: HIGH - 4, "text-anchor": "end" }, x);
  element(svg, "text", { x: 4, y: HIGH - 4 }, `${down ? "↓" : "↑"} ${y}`);
  for (const one of series) drawSeries(svg, one, px, py, py(Math.max(0, y0)));
  if (note) say(place, note);
}

function drawSeries(svg, { kind, x, y, low, errors, style = "first" }, px, py, floor) {
  if (kind === "bars") {
    y.forEach((value, index) => element(svg, "rect", {
      class: "bars", x: px(x[index]), width: Math.max(px(x[index + 1]) - px(x[index]) - 0.6, 0.5),
      y: py(value), height: Math.max(floor - py(value), 0),
    }));
    return;
  }
  const points = x.map((at, index) => [px(at), py(y[index]), index]).filter(([, , index]) => y[index] !== null);
  if (kind === "dots") {
    for (const [left, top, index] of points) {
      if (errors) element(svg, "line", { class: "error", x1: left, x2: left, y1: py(y[index] - errors[index]), y2: py(y[index] + errors[index]) });
      element(svg, "circle", { class: "dots", cx: left, cy: top, r: 3 });
    }
    return;
  }
  if (kind === "band") {
    const back = x.map((at, index) => `${px(at)},${py(low[index])}`).reverse();
    element(svg, "polygon", { class: "band", points: [...points.map(([left, top]) => `${left},${top}`), ...back].join(" ") });
    return;
  }
  element(svg, "polyline", { class: `line ${style}`, points: points.map(([left, top]) => `${left.toFixed(1)},${top.toFixed(1)}`).join(" ") });
}

export function say(place, words) {
  const line = document.createElement("p");
  line.textContent = words;
  place.append(line);
}
