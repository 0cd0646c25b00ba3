/* The section "Try the model": a picture that a visitor draws, drops, chooses or pastes becomes the
 * input of the model, as predict makes it of a file, and the probabilities become bars. The page of
 * `report --live` computes them in a worker; the page of `serve` asks the server. */
"use strict";
(() => {
  const spec = JSON.parse(document.getElementById("live-spec").textContent);
  const {width: W, height: H, channels: C} = spec.image, SCALE = Math.ceil(448 / Math.max(W, H));
  const contextOf = canvas => canvas.getContext("2d", {willReadFrequently: true});
  const get = id => document.getElementById("live-" + id);
  const paper = get("paper"), pen = contextOf(paper);
  const input = get("input"), status = get("status"), bars = get("bars");
  const DARK = spec.dark, GROUND = DARK ? "#000" : "#fff", INK = DARK ? "#fff" : "#000";

  /* Predictions. */

  function remote(pixels) {
    const start = performance.now();
    return fetch(spec.url, {method: "POST", headers: {"Content-Type": "application/json"},
                            body: JSON.stringify({instances: [Array.from(pixels)]})})
      .catch(() => { throw new Error("The server does not answer."); })
      .then(answer => answer.json()).then(answer => {
        if (answer.error) throw new Error(answer.error);
        return {probabilities: answer.predictions[0].probabilities,
                milliseconds: performance.now() - start};
      });
  }

  function bytesOf(base64) {
    const text = atob(base64), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }

  /* The worker has the text of fmdModel, and waits for the weights, then for images. */
  function local() {
    const text = document.getElementById("live-model").textContent + `
      let model;
      onmessage = e => {
        try {
          if (e.data.spec) { model = fmdModel(e.data.spec, new Float32Array(e.data.weights)); return; }
          const start = performance.now(), probabilities = model(e.data.pixels);
          postMessage({probabilities, milliseconds: performance.now() - start});
        } catch (error) { postMessage({error: error.message}); }
      };`;
    const worker = new Worker(URL.createObjectURL(new Blob([text], {type: "text/javascript"})));
    const waiting = [];
    worker.onmessage = e => {
      const {resolve, reject} = waiting.shift();
      if (e.data.error) reject(new Error(e.data.error)); else resolve(e.data);
    };
    worker.onerror = e => waiting.splice(0).forEach(w => w.reject(new Error(e.message)));
    const weights = bytesOf(document.getElementById("live-weights").textContent).buffer;
    worker.postMessage({spec, weights}, [weights]);
    return pixels => new Promise((resolve, reject) => {
      waiting.push({resolve, reject});
      worker.postMessage({pixels});
    });
  }

  const predict = spec.url ? remote : local();
  window.fmdLive = {predict, imageOf};

  /* The bars: all classes in their order, or the most probable ones of many. */

  const MOST = 12, rows = [];
  const named = spec.classes.map((name, i) => name || "class " + i);
  for (let i = 0; i < Math.min(MOST, named.length); i++) {
    const row = bars.insertRow(), head = document.createElement("th"), bar = document.createElement("span");
    head.scope = "row";
    row.append(head);
    const track = row.insertCell(), value = row.insertCell();
    track.className = "track";
    value.className = "n value";
    bar.className = "bar fill one";
    track.append(bar);
    rows.push({row, head, bar, value});
    show(rows[i], named[i], 0, "–");
  }

  function show(r, name, share, text) {
    r.head.textContent = name;
    r.bar.style.width = 100 * share + "%";
    r.value.textContent = text;
  }

  const percent = p => (100 * p).toFixed(1) + " %";

  let telling;
  function tell(text, kind) {
    clearTimeout(telling); /* a screen reader speaks when the pen rests */
    get("says").textContent = text;
    get("says").className = kind || "";
    telling = setTimeout(() => { status.textContent = text; }, 400);
  }

  function showResult(p, milliseconds) {
    const order = Array.from(p, (_, i) => i).sort((a, b) => p[b] - p[a]);
    const shown = p.length > MOST ? order.slice(0, MOST) : order.slice().sort((a, b) => a - b);
    shown.forEach((k, i) => {
      show(rows[i], named[k], p[k], percent(p[k]));
      rows[i].row.className = k === order[0] ? "first" : "";
    });
    tell(`${named[order[0]]}, ${percent(p[order[0]])}`);
    const digits = milliseconds < 10 ? 1 : 0;
    get("time").textContent = `${milliseconds.toFixed(digits)} ms for this prediction`;
  }

  function showNoResult() {
    rows.forEach((r, i) => { show(r, named[i], 0, "–"); r.row.className = ""; });
    get("time").textContent = "";
  }

  /* One prediction at a time; of the images that come meanwhile, the last one follows. Of an image that
   * is cleared meanwhile, no result is shown. */
  let busy = false, next = null, present = null;
  function run(pixels) {
    next = pixels;
    showInput(pixels);
    if (busy) return;
    busy = true;
    const image = present = next;
    next = null;
    predict(image)
      .then(r => { if (present === image) showResult(r.probabilities, r.milliseconds); })
      .catch(e => { showNoResult(); tell(e.message, "bad"); })
      .finally(() => { busy = false; if (next) run(next); });
  }

  /* Images of bytes: {width, height, pixels}, `channels` of them together. */

  function overlap(i, n, k, m) {
    return Math.max(0, Math.min((i + 1) * m, (k + 1) * n) - Math.max(i * m, k * n));
  }

  /* Each pixel is the mean of the area that it covers, rounded; the integers of the program. */
  function resize(image, channels, width, height) {
    const out = new Uint8Array(width * height * channels), all = image.width * image.height;
    const {width: w, height: h, pixels} = image;
    for (let y = 0, to = 0; y < height; y++)
      for (let x = 0; x < width; x++, to += channels)
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let i = Math.floor(y * h / height); i < h && i * height < (y + 1) * h; i++) {
            let row = 0;
            for (let k = Math.floor(x * w / width); k < w && k * width < (x + 1) * w; k++)
              row += overlap(k, w, x, width) * pixels[(i * w + k) * channels + c];
            sum += overlap(i, h, y, height) * row;
          }
          out[to + c] = Math.floor((sum + Math.floor(all / 2)) / all);
        }
    return out;
  }

  /* Into a box of the model's size, in the middle; the border is `ground`. */
  function fit(image, channels, boxW, boxH, ground) {
    const across = image.width * boxH >= boxW * image.height, {width: w, height: h} = image;
    const share = (a, b, c) => Math.max(1, Math.floor((a * b + Math.floor(c / 2)) / c));
    const width = across ? boxW : share(w, boxH, h), height = across ? share(h, boxW, w) : boxH;
    const left = (W - width) >> 1, top = (H - height) >> 1;
    const small = resize(image, channels, width, height);
    const out = new Uint8Array(W * H * channels).fill(ground);
    for (let y = 0; y < height; y++)
      out.set(small.subarray(y * width * channels, (y + 1) * width * channels),
              ((top + y) * W + left) * channels);
    return out;
  }

  const encoded = Array.from({length: 256}, (_, i) => {
    const v = i / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const encode = v => Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));

  /* Red, green and blue as grey: of JPEG files their luma, of others their luminance, as the program
   * has it from libjpeg and libpng. */
  function grey(r, g, b, jpeg) {
    if (r === g && g === b) return r;
    if (jpeg) return Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    return encode(0.2126 * encoded[r] + 0.7152 * encoded[g] + 0.0722 * encoded[b]);
  }

  function fromRGBA(data, width, height, ground, jpeg) {
    const pixels = new Uint8Array(width * height * C);
    for (let i = 0, o = 0; i < data.length; i += 4, o += C) {
      const a = data[i + 3] / 255, on = v => Math.round(v * a + ground * (1 - a));
      const r = on(data[i]), g = on(data[i + 1]), b = on(data[i + 2]);
      if (C === 1) pixels[o] = grey(r, g, b, jpeg);
      else pixels.set([r, g, b], o);
    }
    return {width, height, pixels};
  }

  /* Whether the rim of a grey image is rather light. An image of one colour has no rim. */
  function isLight({width, height, pixels}) {
    let sum = 0, n = 0;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (y === 0 || y === height - 1 || x === 0 || x === width - 1) {
          sum += pixels[y * width + x];
          n++;
        }
    return pixels.some(p => p !== pixels[0]) && sum > 127 * n;
  }

  /* The input of the model from a picture file. */
  async function imageOf(file) {
    const bitmap = await createImageBitmap(file, {premultiplyAlpha: "none", colorSpaceConversion: "none"});
    const canvas = document.createElement("canvas");
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    const context = contextOf(canvas);
    context.drawImage(bitmap, 0, 0);
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    const jpeg = file.type === "image/jpeg", size = [canvas.width, canvas.height];
    let image = fromRGBA(data, ...size, DARK && C === 1 ? 255 : 0, jpeg), inverted = false;
    if (DARK && C === 1) {
      inverted = isLight(image);
      image = inverted ? image : fromRGBA(data, ...size, 0, jpeg);
      if (inverted) image.pixels = image.pixels.map(p => 255 - p);
    }
    return {pixels: fit(image, C, W, H, 0), width: size[0], height: size[1], inverted};
  }

  /* A drawing, cut to its ink and scaled to the size that test images have. */
  function drawn() {
    const {width: w, height: h} = paper;
    const image = fromRGBA(pen.getImageData(0, 0, w, h).data, w, h, 0, false);
    if (!spec.content || !get("centre").checked) return fit(image, C, W, H, 0);
    let left = w, right = -1, top = h, bottom = -1;
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        if (DARK ? image.pixels[y * w + x] > 32 : image.pixels[y * w + x] < 223) {
          left = Math.min(left, x);
          right = Math.max(right, x);
          top = Math.min(top, y);
          bottom = y;
        }
    if (right < 0) return null;
    const cut = {width: right - left + 1, height: bottom - top + 1};
    cut.pixels = new Uint8Array(cut.width * cut.height);
    for (let y = 0; y < cut.height; y++)
      cut.pixels.set(image.pixels.subarray((top + y) * w + left, (top + y) * w + right + 1), y * cut.width);
    const box = n => Math.max(1, Math.round(spec.content * n));
    return fit(cut, C, box(W), box(H), DARK ? 0 : 255);
  }

  /* Pixels into a canvas of the model's size. */
  function paint(canvas, pixels) {
    canvas.width = W;
    canvas.height = H;
    const context = contextOf(canvas), data = context.createImageData(W, H);
    for (let i = 0; i < W * H; i++) {
      for (let c = 0; c < 3; c++) data.data[4 * i + c] = pixels[i * C + (C === 1 ? 0 : c)];
      data.data[4 * i + 3] = 255;
    }
    context.putImageData(data, 0, 0);
  }

  function showInput(pixels) { paint(input, pixels); }

  /* The paper. */

  paper.width = W * SCALE;
  paper.height = H * SCALE;
  const strokes = [];
  let stroke = null, empty = true;

  function blank() {
    pen.fillStyle = GROUND;
    pen.fillRect(0, 0, paper.width, paper.height);
  }

  function draw(s) {
    pen.strokeStyle = pen.fillStyle = s.colour;
    pen.lineWidth = s.width;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...s.points[0]);
    s.points.forEach(p => pen.lineTo(...p));
    pen.stroke();
  }

  function redraw() {
    blank();
    strokes.forEach(draw);
    update();
  }

  function clear(text) {
    strokes.length = 0;
    stroke = null;
    blank();
    showInput(new Uint8Array(W * H * C).fill(DARK ? 0 : 255));
    showNoResult();
    tell(text || "Draw or choose a picture.");
    next = present = null;
    setEmpty(true);
  }

  function setEmpty(now) {
    empty = now;
    get("hint").hidden = !now || Boolean(cursor);
    get("undo").disabled = strokes.length === 0;
  }

  function update() {
    if (strokes.length === 0) return clear();
    setEmpty(false);
    const pixels = drawn();
    if (pixels) run(pixels);
  }

  const lineWidth = () => Number(get("pen").value) * paper.width / 100;
  const colour = () => get("colour") ? get("colour").value : INK;

  function begin(point) {
    if (empty) blank();
    stroke = {points: [point], width: lineWidth(), colour: colour()};
    strokes.push(stroke);
    draw(stroke);
    update();
  }

  function proceed(points) {
    stroke.points.push(...points);
    draw({...stroke, points: stroke.points.slice(-points.length - 1)});
    update();
  }

  function place(e) {
    const box = paper.getBoundingClientRect();
    return [(e.clientX - box.left) * paper.width / box.width,
            (e.clientY - box.top) * paper.height / box.height];
  }

  paper.addEventListener("pointerdown", e => {
    if (e.button !== 0 || !e.isPrimary) return;
    e.preventDefault();
    paper.classList.add("by-pen"); /* no ring around the canvas */
    paper.focus({preventScroll: true});
    paper.setPointerCapture(e.pointerId);
    hideCursor();
    begin(place(e));
  });
  paper.addEventListener("pointermove", e => {
    if (!stroke || !e.isPrimary || cursor) return;
    const all = e.getCoalescedEvents ? e.getCoalescedEvents() : [];
    proceed((all.length ? all : [e]).map(place));
  });
  const lift = () => { if (!cursor) stroke = null; };
  paper.addEventListener("pointerup", lift);
  paper.addEventListener("pointercancel", lift);

  /* By keyboard: arrows move a pen, Space puts it down and lifts it. */
  let cursor = null;
  function hideCursor() {
    cursor = null;
    stroke = null;
    get("cursor").hidden = true;
  }
  function showCursor() {
    const dot = get("cursor");
    dot.hidden = false;
    dot.style.left = 100 * cursor[0] / paper.width + "%";
    dot.style.top = 100 * cursor[1] / paper.height + "%";
    dot.className = stroke ? "down" : "";
    get("hint").hidden = true;
  }
  const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  paper.addEventListener("keydown", e => {
    paper.classList.remove("by-pen");
    const move = moves[e.key];
    if (move && !e.ctrlKey && !e.altKey && !e.metaKey) {
      const from = cursor || [paper.width / 2, paper.height / 2], step = paper.width / 40;
      cursor = [0, 1].map(i => Math.min(Math.max(from[i] + step * move[i], 0), paper.width));
      if (stroke) proceed([cursor]);
    } else if (e.key === " ") {
      cursor = cursor || [paper.width / 2, paper.height / 2];
      if (stroke) stroke = null;
      else begin(cursor);
    } else if (e.key === "Delete" || e.key === "Backspace") {
      clear();
    } else if (e.key === "z" && (e.ctrlKey || e.metaKey)) {
      undo();
    } else {
      return;
    }
    e.preventDefault();
    if (cursor) showCursor();
  });
  paper.addEventListener("blur", () => { hideCursor(); paper.classList.remove("by-pen"); });

  function undo() {
    strokes.pop();
    stroke = null;
    redraw();
  }
  get("undo").addEventListener("click", undo);
  get("clear").addEventListener("click", () => { hideCursor(); clear(); });
  if (get("centre")) get("centre").addEventListener("change", () => { if (strokes.length) update(); });

  /* Pictures. */

  function showOnPaper(pixels) {
    const small = document.createElement("canvas");
    strokes.length = 0;
    hideCursor();
    paint(small, pixels);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, paper.width, paper.height);
    setEmpty(false);
    empty = true; /* the next stroke begins a new drawing */
  }

  async function take(file) {
    if (!file) return;
    get("note").textContent = "";
    try {
      const image = await imageOf(file);
      showOnPaper(image.pixels);
      run(image.pixels);
      const scaled = image.width !== W || image.height !== H;
      get("note").textContent = `${file.name || "Picture"}, ${image.width} × ${image.height} pixels` +
        (scaled ? `, scaled to fit ${W} × ${H}` : "") +
        (image.inverted ? "; inverted, since its border is light" : "") + ".";
    } catch (error) {
      get("note").textContent = `${file.name || "This"} is no picture that this browser can read.`;
    }
  }

  const picked = list => Array.from(list || []).find(f => f.type.startsWith("image/")) || (list || [])[0];
  get("file").addEventListener("change", e => { take(e.target.files[0]); e.target.value = ""; });
  const zone = document.getElementById("live");
  for (const type of ["dragenter", "dragover"])
    zone.addEventListener(type, e => { e.preventDefault(); zone.classList.add("over"); });
  for (const type of ["dragleave", "drop"])
    zone.addEventListener(type, e => {
      if (type === "drop" || !zone.contains(e.relatedTarget)) zone.classList.remove("over");
    });
  zone.addEventListener("drop", e => { e.preventDefault(); take(picked(e.dataTransfer.files)); });
  document.addEventListener("paste", e => {
    const file = picked(e.clipboardData && e.clipboardData.files);
    if (file) { e.preventDefault(); take(file); }
  });

  if (spec.examples) {
    const pixels = bytesOf(spec.examples.pixels), bytes = W * H * C;
    spec.examples.labels.forEach((label, i) => {
      const image = pixels.subarray(i * bytes, (i + 1) * bytes);
      const button = document.createElement("button"), canvas = document.createElement("canvas");
      button.type = "button";
      button.setAttribute("aria-label", `Test image: ${named[label]}`);
      button.title = named[label];
      paint(canvas, image);
      button.append(canvas);
      button.addEventListener("click", () => {
        showOnPaper(image);
        run(image);
        get("note").textContent = `A test image of the class ${named[label]}.`;
      });
      get("examples").append(button);
    });
  }
  clear();

  /* The examples of serve for programs come later in the page, which knows its address only now. */
  document.addEventListener("DOMContentLoaded", () => {
    const examples = get("programs");
    if (examples) examples.textContent = examples.textContent.replaceAll("HOST:PORT", location.host);
  });
})();
