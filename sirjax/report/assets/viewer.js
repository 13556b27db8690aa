// The viewer: which face is shown and how, or two faces beside each other. mesh.js draws; data comes from viewer.py.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("viewer-data").textContent);
  const element = (id) => document.getElementById(id);
  const radios = (name) => [...document.querySelectorAll(`input[name="${name}"]`)];
  const triangles = MeshWidget.decodeTriangles(data.triangles);
  const mean = MeshWidget.decodePositions(data.mean, data.low, data.size);
  const palette = MeshWidget.decodeColors(data.palette);
  const middle = data.low.map((low, k) => low + data.size[k] / 2);
  const state = { face: 0, second: Math.min(1, data.faces.length - 1), mode: "one", shape: "neutral", surface: "clay", norm: 1 };
  const limit = { ...data.limit }; // mm, ends of the color scales
  const NEAREST = 5;

  // ---- faces ---------------------------------------------------------------------------------------------------------

  const decoded = new Map();

  function face(i) {
    if (!decoded.has(i)) {
      const stored = data.faces[i], photo = stored.photo;
      decoded.set(i, {
        neutral: MeshWidget.decodePositions(stored.neutral, data.low, data.size),
        albedo: MeshWidget.decodeColors(stored.albedo),
        posed: photo && MeshWidget.decodePositions(photo.posed, photo.low, photo.size),
        lit: photo && MeshWidget.decodeColors(photo.lit),
        error: stored.error && MeshWidget.decodeValues(stored.error.values, stored.error.range),
      });
    }
    return decoded.get(i);
  }

  // The neutral shape `norm` times as far from the mean face.
  function neutralAt(i, norm) {
    const own = face(i).neutral;
    return norm === 1 ? own : own.map((value, k) => mean[k] + norm * (value - mean[k]));
  }

  // As in the photo, with the identity `norm` times as strong: posed + (norm - 1) R (neutral - mean).
  function posedAt(i, norm) {
    const { posed, neutral } = face(i), r = data.faces[i].photo.rotation, shape = posed.slice();
    if (norm === 1) return shape;
    for (let v = 0; v < shape.length; v += 3) {
      const x = neutral[v] - mean[v], y = neutral[v + 1] - mean[v + 1], z = neutral[v + 2] - mean[v + 2];
      for (let k = 0; k < 3; k++) shape[v + k] += (norm - 1) * (r[3 * k] * x + r[3 * k + 1] * y + r[3 * k + 2] * z);
    }
    return shape;
  }

  // (u, -v, depth) in pixels of the photo.
  function inPhoto(i, norm) {
    const { scale, translation } = data.faces[i].photo, shift = [translation[0], -translation[1], 0];
    return posedAt(i, norm).map((value, k) => scale * value + shift[k % 3]);
  }

  function distances(a, b) {
    const p = face(a).neutral, q = face(b).neutral, apart = new Float32Array(p.length / 3);
    for (let v = 0; v < apart.length; v++) apart[v] = Math.hypot(p[3 * v] - q[3 * v], p[3 * v + 1] - q[3 * v + 1], p[3 * v + 2] - q[3 * v + 2]);
    return apart;
  }

  // ---- one face ------------------------------------------------------------------------------------------------------

  const common = { low: data.low, size: data.size, half: data.half, start: data.start, palette, label: "mm" };

  // Lies on the photo, pixel on pixel, and is not turned.
  class Overlay extends MeshWidget.Scene {
    equip() {}

    camera() {
      const { width, height } = data.faces[state.face].photo;
      return { turn: [1, 0, 0, 0, 1, 0, 0, 0, 1], scaleX: 2 / width, scaleY: 2 / height };
    }
  }

  const scene = (id) => MeshWidget.scenes.get(element(id));

  function paint(view, colors, look) {
    const { error } = face(state.face);
    if (state.surface === "texture") view.setColors(colors);
    if (state.surface === "error" && error) view.setValues(error, [0, limit.error]);
    view.look = { clay: "clay", texture: look, normals: "normals", error: error ? "values" : "clay" }[state.surface];
  }

  const isPosed = () => state.shape === "posed" && data.faces[state.face].photo !== null;

  function placeMesh() {
    const mesh = scene("mesh");
    if (!mesh) return;
    const photo = data.faces[state.face].photo, posed = isPosed();
    mesh.middle = posed ? photo.low.map((low, k) => low + photo.size[k] / 2) : middle;
    mesh.views[0].setPositions(posed ? posedAt(state.face, state.norm) : neutralAt(state.face, state.norm));
    paint(mesh.views[0], face(state.face).albedo, "colors");
    mesh.draw();
  }

  function placeOverlay() {
    const overlay = scene("photo");
    if (!overlay || !data.faces[state.face].photo) return;
    const { width, height } = data.faces[state.face].photo, view = overlay.views[0];
    view.setPositions(inPhoto(state.face, state.norm));
    // The center of the top-left pixel is (0, 0).
    overlay.middle = [(width - 1) / 2, (1 - height) / 2, view.positions[2]];
    overlay.radius = 4 * Math.max(width, height);
    paint(view, face(state.face).lit, "lit");
    overlay.draw();
  }

  function showNorm() {
    const stored = data.faces[state.face];
    element("norm-words").textContent =
      `|α/σ| = ${(state.norm * stored.norm).toFixed(2)}; 0 is the mean face, a random face of the model has about ${Math.sqrt(data.modes).toFixed(1)}.`;
    element("norm-reset").hidden = state.norm === 1;
    placeMesh();
    placeOverlay();
  }

  function strengthen(norm) {
    state.norm = norm;
    for (const input of document.querySelectorAll(".strength")) input.value = 100 * norm;
    for (const output of document.querySelectorAll(".times")) output.textContent = `${norm.toFixed(2)} ×`;
    if (state.mode === "one") showNorm();
    else placePair();
  }

  function row(name, value) {
    const line = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
    head.scope = "row";
    head.textContent = name;
    cell.textContent = value;
    line.append(head, cell);
    return line;
  }

  function showOne() {
    const stored = data.faces[state.face];
    element("one-name").textContent = stored.name;
    const photo = stored.photo;
    element("photo-panel").hidden = element("shape-choice").hidden = photo === null;
    if (photo) Object.assign(element("photo-image"), { src: photo.source, width: photo.width, height: photo.height, alt: `Photo: ${stored.name}` });
    const still = element("mesh").querySelector(".still");
    Object.assign(still, { src: data.stills[state.face], alt: `Neutral shape: ${stored.name}` });
    element("mesh").querySelector("canvas").setAttribute("aria-label", `${stored.name}, ${isPosed() ? "as in the photo" : "neutral"}, ${state.surface}`);
    element("facts").replaceChildren(...Object.entries(stored.facts).map(([name, value]) => row(name, value)));
    element("error-choice").hidden = limit.error === null;
    element("error-scale").hidden = state.surface !== "error";
    showNorm();
  }

  // ---- two faces -----------------------------------------------------------------------------------------------------

  function placePair() {
    const pair = scene("pair"), { face: a, second: b } = state;
    if (!pair) return;
    [a, b, a].forEach((i, k) => pair.views[k].setPositions(neutralAt(i, state.norm)));
    pair.views[2].setValues(distances(a, b), [0, limit.difference]);
    pair.draw();
  }

  function showTwo() {
    const { face: a, second: b } = state, views = [...element("pair").querySelectorAll(".view")];
    element("first").value = a;
    element("second").value = b;
    [a, b].forEach((i, k) => {
      views[k].querySelector("figcaption").replaceChildren(thumbnail(i), data.faces[i].name);
      Object.assign(views[k].querySelector(".still"), { src: data.stills[i], alt: data.faces[i].name });
      views[k].querySelector("canvas").setAttribute("aria-label", `${k ? "Second" : "First"} face: ${data.faces[i].name}`);
    });
    const of = (kind) => data.distances[kind][a][b];
    element("distances").replaceChildren(
      row("RMSE of vertices", `${of("rmse")} mm`),
      row("99 % of vertices within", `${of("largest")} mm`),
      row("Euclidean distance of shape coefficients", `${of("coefficients")} mm`),
      row("Cosine of whitened coefficients (1: same direction from the mean face)", of("cosine")),
      row("Norms |α/σ|", `${data.faces[a].norm.toFixed(2)} and ${data.faces[b].norm.toFixed(2)}`),
    );
    showNearest(a);
    placePair();
  }

  function thumbnail(i) {
    return Object.assign(new Image(), { src: radios("face")[i].parentElement.querySelector("img").src, alt: "" });
  }

  function showNearest(a) {
    const order = data.faces.map((_, i) => i).filter((i) => i !== a).sort((i, j) => data.distances.rmse[a][i] - data.distances.rmse[a][j]);
    element("nearest").replaceChildren(...order.slice(0, NEAREST).map((i) => {
      const item = document.createElement("li"), button = document.createElement("button");
      const words = document.createElement("span"), figure = document.createElement("small");
      figure.textContent = `${data.distances.rmse[a][i]} mm`;
      words.append(data.faces[i].name, figure);
      button.type = "button";
      button.append(thumbnail(i), words);
      button.addEventListener("click", () => { state.second = i; showTwo(); });
      item.append(button);
      return item;
    }));
  }

  // ---- the page ------------------------------------------------------------------------------------------------------

  function showScale(id, end, change) {
    const root = element(id), context = root.querySelector(".colors").getContext("2d"), select = root.querySelector("select");
    const pixels = context.createImageData(256, 1);
    for (let i = 0; i < 256; i++) pixels.data.set([...palette.slice(3 * i, 3 * i + 3), 255], 4 * i);
    context.putImageData(pixels, 0, 0);
    const label = () => {
      const words = ["0", `${Number(select.value) / 2}`, `${select.value} mm or more`];
      root.querySelector(".ends").replaceChildren(...words.map((word) => Object.assign(document.createElement("span"), { textContent: word })));
    };
    if (end !== null) select.value = end;
    label();
    select.addEventListener("change", () => { label(); change(Number(select.value)); });
  }

  function show() {
    element("one").hidden = state.mode !== "one";
    element("two").hidden = state.mode !== "two";
    if (state.mode === "one") showOne();
    else showTwo();
  }

  function choose(i) {
    state.face = i;
    radios("face")[i].checked = true;
    show();
  }

  function listen() {
    radios("face").forEach((radio, i) => radio.addEventListener("change", () => choose(i)));
    for (const name of ["mode", "surface"]) for (const radio of radios(name)) radio.addEventListener("change", () => { state[name] = radio.value; show(); });
    for (const radio of radios("shape")) radio.addEventListener("change", () => {
      state.shape = radio.value;
      const mesh = scene("mesh");
      if (mesh) mesh.start = state.shape === "posed" ? [0, 0] : data.start;
      showOne();
      if (mesh) mesh.reset();
    });
    const opacity = element("opacity");
    for (const input of document.querySelectorAll(".strength")) input.addEventListener("input", () => strengthen(Number(input.value) / 100));
    element("norm-reset").addEventListener("click", () => { strengthen(1); element("norm").focus(); });
    const fade = () => {
      element("photo").querySelector("canvas").style.opacity = Number(opacity.value) / 100;
      element("opacity-reading").textContent = `${opacity.value} %`;
    };
    opacity.addEventListener("input", fade);
    fade();
    element("first").addEventListener("change", (event) => choose(Number(event.target.value)));
    element("second").addEventListener("change", (event) => { state.second = Number(event.target.value); showTwo(); });
    element("swap").addEventListener("click", () => { const first = state.face; state.face = state.second; state.second = first; choose(state.face); });
    showScale("difference-scale", limit.difference, (end) => { limit.difference = end; placePair(); });
    showScale("error-scale", limit.error, (end) => { limit.error = end; placeMesh(); placeOverlay(); });
    // Nothing is selected: the arrow keys go to the list, whose radio buttons then take them themselves.
    document.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step || event.target !== document.body || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const next = (state.face + step + data.faces.length) % data.faces.length;
      radios("face")[next].focus();
      choose(next);
    });
  }

  // Browsers bring back what was chosen before a reload; the page starts anew.
  for (const input of document.querySelectorAll("input")) if (input.type === "range") input.value = input.defaultValue; else input.checked = input.defaultChecked;
  radios("mode")[0].closest("fieldset").hidden = data.faces.length < 2;
  listen();
  const view = () => ({ positions: mean, triangles });
  const made = (scene, place) => { queueMicrotask(place); return scene; };
  const drawn =
    MeshWidget.add(element("mesh"), (root) => made(new MeshWidget.Scene(root, { ...common, views: [view()] }), placeMesh)) &&
    MeshWidget.add(element("photo"), (root) => made(new Overlay(root, { ...common, views: [view()] }), placeOverlay)) &&
    MeshWidget.add(element("pair"), (root) => made(new MeshWidget.Scene(root, { ...common, views: [view(), view(), view()] }), placePair));
  element("no-webgl").hidden = drawn;
  document.body.classList.toggle("stills", !drawn);
  strengthen(1);
  show();
})();
