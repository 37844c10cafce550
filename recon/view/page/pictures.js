// Pictures of tiles on a canvas: zoom and place are shared by all, tiles are asked for as fast as they come.

const TILE = 1024;
const GREY = ["#000000", "#ffffff"];
const COLOURS = {
  raw: GREY, pass: GREY, image: GREY,
  visits: ["#183454", "#fee8b0", "#fdb863", "#f0704a", "#c51b5a", "#7a0177"],
  path: ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"],
  std: ["#00224e", "#434e6c", "#7d7c78", "#bcae6c", "#fee838"],
  z: ["#05468c", "#8fb0d4", "#ffffff", "#dc96a5", "#a00f28"],
};

export class View {
  constructor() { this.shape = null; this.zoom = 0; this.row = 0; this.column = 0; this.fitted = true; this.pictures = []; }

  take(shape) {
    if (this.shape && this.shape[0] === shape[0] && this.shape[1] === shape[1]) return;
    this.shape = shape;
    this.fit();
  }

  fit() { this.fitted = true; this.changed(); }

  fitTo(width, height) {
    this.zoom = Math.min(width / this.shape[1], height / this.shape[0]);
    this.row = this.shape[0] / 2;
    this.column = this.shape[1] / 2;
  }

  scale(factor, row = this.row, column = this.column) { this.setZoom(this.zoom * factor, row, column); }

  setZoom(zoom, row = this.row, column = this.column) {
    const next = Math.min(Math.max(zoom, 0.005), 64);
    this.row = row + (this.row - row) * this.zoom / next;
    this.column = column + (this.column - column) * this.zoom / next;
    this.zoom = next;
    this.fitted = false;
    this.changed();
  }

  move(rows, columns) {
    if (!this.shape) return;
    this.row = Math.min(Math.max(this.row + rows, 0), this.shape[0]);
    this.column = Math.min(Math.max(this.column + columns, 0), this.shape[1]);
    this.fitted = false;
    this.changed();
  }

  changed() { for (const picture of this.pictures) picture.draw(); }
}

export class Picture {
  constructor(figure, view, load) {
    this.view = view;
    this.load = load;
    this.canvas = figure.querySelector("canvas");
    this.select = figure.querySelector("select");
    this.note = figure.querySelector(".note");
    this.rule = figure.querySelector(".rule");
    this.parts = Object.fromEntries(["length", "low", "colours", "high"].map((name) => [name, figure.querySelector(`.${name}`)]));
    this.tiles = new Map();
    this.version = -1;
    this.fetching = false;
    this.pixelSize = null;
    this.levels = 1;
    this.overlay = null;
    this.shown = 0;
    view.pictures.push(this);
    this.select.addEventListener("change", () => this.choose(this.select.value));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.listen();
  }

  get name() { return this.select.value; }

  choose(name) {
    this.select.value = name;
    this.tiles.clear();
    this.parts.low.textContent = this.parts.high.textContent = "";
    this.draw();
    this.refresh();
  }

  next() {
    const options = [...this.select.options].filter((one) => !one.disabled);
    this.choose(options[(options.findIndex((one) => one.value === this.name) + 1) % options.length].value);
  }

  take(version, shape, levels, pixelSize) {
    this.levels = levels;
    this.pixelSize = pixelSize;
    this.view.take(shape);
    if (version !== this.version) { this.version = version; this.refresh(); }
  }

  wanted() {
    const { shape } = this.view;
    if (!shape || !this.canvas.clientWidth || this.version <= 0) return [];
    const ratio = window.devicePixelRatio || 1;
    const level = Math.min(Math.max(Math.floor(Math.log2(1 / (this.view.zoom * ratio)) + 0.01), 0), this.levels - 1);
    const side = TILE * 2 ** level;
    const [top, left, bottom, right] = this.window();
    const keys = [];
    for (let row = Math.max(0, Math.floor(top / side)); row * side < Math.min(bottom, shape[0]); row++)
      for (let column = Math.max(0, Math.floor(left / side)); column * side < Math.min(right, shape[1]); column++)
        keys.push(`${level}/${row}/${column}`);
    return keys;
  }

  window() {
    const { row, column, zoom } = this.view;
    const high = this.canvas.clientHeight / zoom / 2, wide = this.canvas.clientWidth / zoom / 2;
    return [row - high, column - wide, row + high, column + wide];
  }

  async refresh() {
    if (this.fetching) return;
    this.fetching = true;
    try {
      for (;;) {
        const name = this.name, version = this.version;
        const late = this.wanted().filter((key) => this.tiles.get(key)?.version !== version);
        if (!late.length) break;
        for (const key of late) {
          const tile = await this.load(name, key, version);
          if (name !== this.name) break;
          if (!tile) { this.tiles.set(key, { ...this.tiles.get(key), version }); continue; }
          this.tiles.set(key, { ...tile, version });
          this.label(tile.limits);
          this.shown += 1;
        }
        const kept = new Set(this.wanted());
        for (const key of this.tiles.keys()) if (this.tiles.size > 24 && !kept.has(key)) this.tiles.delete(key);
        this.draw(false);
      }
    } catch { /* the stream of messages tells of a lost connection */ } finally { this.fetching = false; }
  }

  label(limits) {
    const colours = this.name === "visits" ? COLOURS.visits.slice(0, limits[1] + 1) : COLOURS[this.name];
    this.parts.colours.style.background = `linear-gradient(90deg, ${colours.join(",")})`;
    const digits = (value) => Number(value.toPrecision(3)).toString();
    if (this.name === "path") { this.parts.low.textContent = "1 s ago"; this.parts.high.textContent = "now"; return; }
    const unit = { raw: " e⁻", pass: " e⁻", visits: " visits", z: " σ" }[this.name] ?? "";
    const most = this.name === "visits" ? Math.min(limits[1], 5) : limits[1];
    this.parts.low.textContent = digits(limits[0]);
    this.parts.high.textContent = digits(most) + (most < limits[1] ? "+" : "") + unit;
  }

  draw(ask = true) {
    const { canvas, view } = this;
    if (!view.shape || !canvas.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = Math.round(Math.min(width * Math.min(Math.max(view.shape[0] / view.shape[1], 0.3), 1.2), window.innerHeight * 0.78));
    if (canvas.clientHeight !== height) canvas.style.height = `${height}px`;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    if (view.fitted) view.fitTo(width, height);
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const [top, left] = this.window(), zoom = view.zoom * ratio;
    pen.imageSmoothingEnabled = zoom < 1;
    const order = [...this.tiles].filter(([, tile]) => tile.bitmap).sort((one, other) => parseInt(other[0]) - parseInt(one[0]));
    for (const [key, tile] of order) {
      const [level, row, column] = key.split("/").map(Number), step = 2 ** level, side = TILE * step;
      pen.drawImage(tile.bitmap, (column * side - left) * zoom, (row * side - top) * zoom,
        tile.bitmap.width * step * zoom, tile.bitmap.height * step * zoom);
    }
    if (this.overlay) this.overlay(pen, (row, column) => [(column + 0.5 - left) * zoom, (row + 0.5 - top) * zoom], zoom, ratio);
    this.drawBar();
    if (ask) this.refresh();
  }

  drawBar() {
    const size = this.pixelSize, most = 0.25 * this.canvas.clientWidth / this.view.zoom * (size ?? 1);
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((one) => one * power).find((one) => one <= most * 1.0001);
    this.rule.style.width = `${length / (size ?? 1) * this.view.zoom}px`;
    this.parts.length.textContent = size === null ? `${Number(length.toPrecision(3))} px` : lengthOf(length);
  }

  listen() {
    const { canvas, view } = this, fingers = new Map();
    const place = (event) => {
      const box = canvas.getBoundingClientRect(), [top, left] = this.window();
      return [top + (event.clientY - box.top) / view.zoom, left + (event.clientX - box.left) / view.zoom];
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      view.scale(2 ** (-event.deltaY / 300), ...place(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      const now = [event.clientX, event.clientY];
      if (other) {
        const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
        view.scale(apart(now) / apart(before), ...place(event));
      } else view.move((before[1] - now[1]) / view.zoom, (before[0] - now[0]) / view.zoom);
      fingers.set(event.pointerId, now);
    });
    canvas.addEventListener("dblclick", (event) => view.scale(2, ...place(event)));
  }
}

function lengthOf(nm) {
  const [size, unit] = [[1e6, "mm"], [1e3, "µm"], [1, "nm"], [0.1, "Å"]].find(([one]) => nm >= one * 0.9999) ?? [0.1, "Å"];
  return `${Number((nm / size).toPrecision(3))} ${unit}`;
}
