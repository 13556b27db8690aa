// Meshes to turn. One hidden WebGL canvas draws every view of the page, and the result is copied into the view's own
// canvas: browsers allow only a few WebGL canvases. A scene is a group of views with one camera: orthographic, turned by
// yaw and pitch (radians), zoomed, moved. Frame: mm, y up, z toward the viewer.
"use strict";
const MeshWidget = (() => {
  const VERTEX_SHADER = `
    attribute vec3 position, normal, color;
    attribute vec2 value;  // share of the color scale, and whether there is one
    uniform mat3 turn;
    uniform vec3 middle;
    uniform vec2 scale, move;
    uniform float depth;
    varying vec3 facing, own;
    varying vec2 share;
    void main() {
      vec3 place = turn * (position - middle);
      facing = turn * normal;
      own = color;
      share = value;
      gl_Position = vec4(place.xy * scale + move, -place.z * depth, 1.0);
    }`;
  // Matte, a main light from the upper left and a weak one from the right, as in sirjax/report/still.py.
  const FRAGMENT_SHADER = `
    precision mediump float;
    varying vec3 facing, own;
    varying vec2 share;
    uniform sampler2D palette;
    uniform float mode;  // 0 clay, 1 values, 2 own colors, 3 normals as colors, 4 own colors that are lit already
    void main() {
      vec3 n = normalize(facing);
      if (!gl_FrontFacing) n = -n;
      float light = 0.30 + 0.72 * max(dot(n, vec3(-0.45, 0.55, 0.70)), 0.0) + 0.20 * max(dot(n, vec3(0.80, 0.10, 0.45)), 0.0);
      light *= 0.75 + 0.25 * max(n.z, 0.0);
      vec3 clay = vec3(0.80, 0.77, 0.72) * light;
      vec3 scaled = texture2D(palette, vec2(share.x * 0.99609375 + 0.001953125, 0.5)).rgb * (0.55 + 0.45 * light);
      vec3 base = mode > 1.5 ? own * (0.55 + 0.45 * light) : mode > 0.5 && share.y > 0.5 ? scaled : clay;
      if (mode > 2.5) base = mode > 3.5 ? own : 0.5 + 0.5 * n;
      gl_FragColor = vec4(base * (gl_FrontFacing ? 1.0 : 0.6), 1.0);
    }`;
  const MODES = { clay: 0, values: 1, colors: 2, normals: 3, lit: 4 };
  const NO_VALUE = 65535;
  const STEP = Math.PI / 36; // of an arrow key

  // ---- data ----------------------------------------------------------------------------------------------------------

  function bytes(base64) {
    const text = atob(base64), array = new Uint8Array(text.length);
    for (let i = 0; i < array.length; i++) array[i] = text.charCodeAt(i);
    return array.buffer;
  }

  function decodePositions(base64, low, size) {
    const shares = new Uint16Array(bytes(base64)), positions = new Float32Array(shares.length);
    for (let i = 0; i < shares.length; i++) positions[i] = low[i % 3] + (size[i % 3] * shares[i]) / 65535;
    return positions;
  }

  function decodeValues(base64, [low, high]) {
    return Float32Array.from(new Uint16Array(bytes(base64)), (v) => v === NO_VALUE ? NaN : low + ((high - low) * v) / (NO_VALUE - 1));
  }

  const decodeColors = (base64) => new Uint8Array(bytes(base64));
  const decodeTriangles = (stored) => Uint32Array.from(new (stored.bytes === 2 ? Uint16Array : Uint32Array)(bytes(stored.data)));

  // Mean of the triangles' normals around each vertex, weighted by area.
  function vertexNormals(positions, triangles) {
    const normals = new Float32Array(positions.length);
    for (let t = 0; t < triangles.length; t += 3) {
      const a = 3 * triangles[t], b = 3 * triangles[t + 1], c = 3 * triangles[t + 2];
      const ux = positions[b] - positions[a], uy = positions[b + 1] - positions[a + 1], uz = positions[b + 2] - positions[a + 2];
      const vx = positions[c] - positions[a], vy = positions[c + 1] - positions[a + 1], vz = positions[c + 2] - positions[a + 2];
      const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
      for (const i of [a, b, c]) { normals[i] += x; normals[i + 1] += y; normals[i + 2] += z; }
    }
    for (let i = 0; i < normals.length; i += 3) {
      const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
      for (let k = 0; k < 3; k++) normals[i + k] /= length;
    }
    return normals;
  }

  // ---- drawing -------------------------------------------------------------------------------------------------------

  class Renderer {
    constructor(antialias) {
      this.canvas = document.createElement("canvas");
      this.gl = this.canvas.getContext("webgl", { antialias });
      if (!this.gl || !this.gl.getExtension("OES_element_index_uint")) throw new Error("no WebGL");
      this.age = 0; // counts lost contexts: buffers made for an older one are gone
      this.setUp();
      this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
      this.canvas.addEventListener("webglcontextrestored", () => { this.age++; this.setUp(); scenes.forEach((s) => s.draw()); });
    }

    // Whether the main processor draws: then smooth edges would make turning five times as slow.
    isSoftware() {
      const info = this.gl.getExtension("WEBGL_debug_renderer_info");
      const name = this.gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : this.gl.RENDERER);
      return /swiftshader|llvmpipe|software|basic render/i.test(name);
    }

    setUp() {
      const gl = this.gl, program = gl.createProgram();
      for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
        const shader = gl.createShader(kind);
        gl.shaderSource(shader, source);
        gl.compileShader(shader);
        gl.attachShader(program, shader);
      }
      ["position", "normal", "color", "value"].forEach((name, i) => gl.bindAttribLocation(program, i, name));
      gl.linkProgram(program);
      if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program));
      gl.useProgram(program);
      this.uniform = {};
      for (const name of ["turn", "middle", "scale", "move", "depth", "mode"]) this.uniform[name] = gl.getUniformLocation(program, name);
      gl.enable(gl.DEPTH_TEST);
      this.palette = null;
      gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
      for (const [key, value] of [["MIN_FILTER", "LINEAR"], ["MAG_FILTER", "LINEAR"], ["WRAP_S", "CLAMP_TO_EDGE"], ["WRAP_T", "CLAMP_TO_EDGE"]])
        gl.texParameteri(gl.TEXTURE_2D, gl[`TEXTURE_${key}`], gl[value]);
    }

    buffer(data, target = this.gl.ARRAY_BUFFER) {
      const buffer = this.gl.createBuffer();
      this.gl.bindBuffer(target, buffer);
      this.gl.bufferData(target, data, this.gl.STATIC_DRAW);
      return buffer;
    }

    // Draws `view` (width x height pixels) with the camera of its scene and copies it into the view's canvas.
    draw(view, scene, width, height) {
      const gl = this.gl, canvas = this.canvas;
      if (canvas.width < width || canvas.height < height) {
        canvas.width = Math.max(canvas.width, width);
        canvas.height = Math.max(canvas.height, height);
      }
      if (view.age !== this.age) view.upload(this);
      gl.viewport(0, 0, width, height);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      const camera = scene.camera(width, height);
      gl.uniformMatrix3fv(this.uniform.turn, false, camera.turn);
      gl.uniform3fv(this.uniform.middle, scene.middle);
      gl.uniform2f(this.uniform.scale, camera.scaleX, camera.scaleY);
      gl.uniform2f(this.uniform.move, scene.moveX, scene.moveY);
      gl.uniform1f(this.uniform.depth, 1 / (2 * scene.radius));
      gl.uniform1f(this.uniform.mode, MODES[view.look]);
      if (this.palette !== scene.palette) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, scene.palette);
      this.palette = scene.palette;
      view.bind(gl);
      gl.drawElements(gl.TRIANGLES, view.triangles.length, gl.UNSIGNED_INT, 0);
      const context = view.canvas.getContext("2d");
      if (view.canvas.width !== width || view.canvas.height !== height) Object.assign(view.canvas, { width, height });
      context.clearRect(0, 0, width, height);
      context.drawImage(canvas, 0, canvas.height - height, width, height, 0, 0, width, height);
    }
  }

  class View {
    constructor(figure, triangles) {
      this.figure = figure;
      this.canvas = figure.querySelector("canvas");
      this.reading = figure.querySelector(".reading");
      this.triangles = triangles; // Uint32Array
      this.look = "clay"; // one of MODES
    }

    // The mesh may change its shape or its colors at any time: set, then draw the scene.
    setPositions(positions) {
      this.positions = positions;
      this.normals = vertexNormals(positions, this.triangles);
      this.age = -1;
    }

    setValues(values, limits) {
      this.look = "values";
      this.values = values;
      this.shares = new Float32Array(2 * values.length);
      for (let i = 0; i < values.length; i++) {
        const known = !Number.isNaN(values[i]);
        this.shares[2 * i] = known ? Math.min(Math.max((values[i] - limits[0]) / (limits[1] - limits[0]), 0), 1) : 0;
        this.shares[2 * i + 1] = known ? 1 : 0;
      }
      this.age = -1;
    }

    setColors(colors) {
      this.look = "colors";
      this.colors = colors; // Uint8Array, RGB
      this.age = -1;
    }

    upload(renderer) {
      const gl = renderer.gl;
      if (this.buffers && this.uploadedAge === renderer.age) Object.values(this.buffers).forEach((b) => b && gl.deleteBuffer(b));
      this.buffers = {
        position: renderer.buffer(this.positions),
        normal: renderer.buffer(this.normals),
        color: this.colors && renderer.buffer(this.colors),
        value: this.values && renderer.buffer(this.shares),
        triangles: renderer.buffer(this.triangles, gl.ELEMENT_ARRAY_BUFFER),
      };
      this.age = this.uploadedAge = renderer.age;
    }

    bind(gl) {
      const sizes = [["position", 3, gl.FLOAT], ["normal", 3, gl.FLOAT], ["color", 3, gl.UNSIGNED_BYTE], ["value", 2, gl.FLOAT]];
      sizes.forEach(([name, size, type], i) => {
        if (!this.buffers[name]) return gl.disableVertexAttribArray(i);
        gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
        gl.enableVertexAttribArray(i);
        gl.vertexAttribPointer(i, size, type, type === gl.UNSIGNED_BYTE, 0, 0);
      });
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers.triangles);
    }

    // The value of the front-most triangle at a place of the canvas (-1 ... 1, y up); NaN where there is none.
    valueAt(x, y, scene) {
      const { turn: m, scaleX, scaleY } = scene.camera(this.canvas.width, this.canvas.height);
      const [cx, cy, cz] = scene.middle, p = this.positions, count = p.length / 3;
      const u = new Float32Array(count), v = new Float32Array(count), w = new Float32Array(count);
      for (let i = 0; i < count; i++) {
        const px = p[3 * i] - cx, py = p[3 * i + 1] - cy, pz = p[3 * i + 2] - cz;
        u[i] = (m[0] * px + m[3] * py + m[6] * pz) * scaleX + scene.moveX - x;
        v[i] = (m[1] * px + m[4] * py + m[7] * pz) * scaleY + scene.moveY - y;
        w[i] = m[2] * px + m[5] * py + m[8] * pz;
      }
      let best = -Infinity, value = NaN;
      for (let t = 0; t < this.triangles.length; t += 3) {
        const a = this.triangles[t], b = this.triangles[t + 1], c = this.triangles[t + 2];
        if ((u[a] < 0 && u[b] < 0 && u[c] < 0) || (u[a] > 0 && u[b] > 0 && u[c] > 0)) continue;
        const ka = u[b] * v[c] - u[c] * v[b], kb = u[c] * v[a] - u[a] * v[c], kc = u[a] * v[b] - u[b] * v[a];
        const inside = (ka >= 0 && kb >= 0 && kc >= 0) || (ka <= 0 && kb <= 0 && kc <= 0), sum = ka + kb + kc;
        if (!inside || sum === 0) continue;
        const depth = (ka * w[a] + kb * w[b] + kc * w[c]) / sum;
        if (depth <= best) continue;
        best = depth;
        value = (ka * this.values[a] + kb * this.values[b] + kc * this.values[c]) / sum;
      }
      return value;
    }
  }

  class Scene {
    // views: {positions, triangles, values?, limits?, colors?} for each figure.view below root; see stored() for the rest.
    constructor(root, { low, size, half, start, palette, label, views }) {
      this.root = root;
      this.middle = low.map((l, k) => l + size[k] / 2);
      this.radius = Math.hypot(...size) / 2 || 1;
      this.half = half; // mm from the middle to the rim
      this.start = start;
      this.palette = palette;
      this.label = label;
      this.views = views.map(({ positions, triangles, values, limits, colors }, i) => {
        const view = new View(root.querySelectorAll("figure.view")[i], triangles);
        view.setPositions(positions);
        if (values) view.setValues(values, limits);
        if (colors) view.setColors(colors);
        return view;
      });
      this.equip();
      this.reset();
    }

    // What the page's JSON says.
    static stored(root) {
      const data = JSON.parse(root.querySelector(".mesh-data").textContent), triangles = data.triangles.map(decodeTriangles);
      const views = data.views.map((view) => ({
        positions: decodePositions(view.positions, data.low, data.size),
        triangles: triangles[view.triangles],
        values: view.values && decodeValues(view.values, view.range),
        limits: data.limits,
        colors: view.colors && decodeColors(view.colors),
      }));
      return new Scene(root, { ...data, palette: decodeColors(data.palette), views });
    }

    equip() {
      this.views.forEach((view) => this.listen(view));
      this.addButtons();
    }

    reset() {
      Object.assign(this, { yaw: this.start[0], pitch: this.start[1], zoom: 1, moveX: 0, moveY: 0 });
      this.draw();
    }

    camera(width, height) {
      const cy = Math.cos(this.yaw), sy = Math.sin(this.yaw), cp = Math.cos(this.pitch), sp = Math.sin(this.pitch);
      const scale = (0.94 * this.zoom) / this.half, side = Math.min(width, height);
      // Columns of Rx(pitch) Ry(yaw).
      const turn = [cy, sp * sy, -cp * sy, 0, cp, sp, sy, -sp * cy, cp * cy];
      return { turn, scaleX: (scale * side) / width, scaleY: (scale * side) / height };
    }

    turn(yaw, pitch) {
      this.yaw += yaw;
      this.pitch = Math.min(Math.max(this.pitch + pitch, -Math.PI / 2), Math.PI / 2);
      this.draw();
    }

    magnify(factor) {
      this.zoom = Math.min(Math.max(this.zoom * factor, 0.5), 20);
      this.draw();
    }

    // dx, dy in shares of the view's side, y down.
    move(dx, dy) {
      this.moveX += 2 * dx;
      this.moveY -= 2 * dy;
      this.draw();
    }

    // Asks for a frame; several changes before it cost one drawing.
    draw() {
      this.dirty = true;
      if (this.visible && !this.frame) this.frame = requestAnimationFrame(() => this.drawNow());
    }

    drawNow() {
      this.frame = 0;
      this.dirty = false;
      const ratio = Math.min(window.devicePixelRatio || 1, 2);
      for (const view of this.views) {
        const width = Math.round(view.canvas.clientWidth * ratio), height = Math.round(view.canvas.clientHeight * ratio);
        if (width && height) renderer.draw(view, this, width, height);
      }
    }

    addButtons() {
      const bar = document.createElement("div");
      bar.className = "turns";
      for (const [name, yaw] of [["Front", 0], ["Three quarters", Math.PI / 4], ["Profile", Math.PI / 2]]) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = name;
        button.addEventListener("click", () => { this.reset(); this.yaw = yaw; this.pitch = 0; this.draw(); });
        bar.append(button);
      }
      this.root.querySelector(".views").after(bar);
    }

    listen(view) {
      const canvas = view.canvas, pointers = new Map();
      canvas.addEventListener("pointerdown", (event) => {
        pointers.set(event.pointerId, event);
        canvas.setPointerCapture(event.pointerId);
      });
      for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
      canvas.addEventListener("pointermove", (event) => {
        const before = pointers.get(event.pointerId);
        if (!before) return this.readValue(view, event);
        const side = Math.min(canvas.clientWidth, canvas.clientHeight);
        const dx = (event.clientX - before.clientX) / side, dy = (event.clientY - before.clientY) / side;
        if (pointers.size === 1 && !event.shiftKey) this.turn(dx * Math.PI, dy * Math.PI);
        else this.move(dx / pointers.size, dy / pointers.size);
        if (pointers.size === 2) {
          const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, value]) => value);
          const distance = (e) => Math.hypot(e.clientX - other.clientX, e.clientY - other.clientY) || 1;
          this.magnify(distance(event) / distance(before));
        }
        pointers.set(event.pointerId, event);
        view.reading.hidden = true;
      });
      canvas.addEventListener("pointerleave", () => { view.reading.hidden = true; });
      canvas.addEventListener("dblclick", () => this.reset());
      // Scrolling over a view scrolls the page until the view is selected: pages with many meshes would trap the wheel.
      canvas.addEventListener("wheel", (event) => {
        if (document.activeElement !== canvas && !event.ctrlKey) return;
        event.preventDefault();
        this.magnify(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002) * (event.ctrlKey ? 4 : 1)));
      }, { passive: false });
      canvas.addEventListener("keydown", (event) => {
        const turns = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
        const zooms = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 };
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (turns[event.key] && event.shiftKey) this.move(turns[event.key][0] / 3, turns[event.key][1] / 3);
        else if (turns[event.key]) this.turn(...turns[event.key]);
        else if (zooms[event.key]) this.magnify(zooms[event.key]);
        else if (event.key === "Home" || event.key === "0") this.reset();
        else return;
        event.preventDefault();
      });
    }

    readValue(view, event) {
      if (view.look !== "values") return;
      const box = view.canvas.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
      const value = view.valueAt(2 * x - 1, 1 - 2 * y, this);
      view.reading.hidden = Number.isNaN(value);
      view.reading.textContent = `${Number(value.toPrecision(3))} ${this.label}`;
      view.reading.style.left = `${Math.min(x * box.width + 14, box.width - view.reading.offsetWidth)}px`;
      view.reading.style.top = `${Math.max(y * box.height - 34, 0)}px`;
    }
  }

  // ---- the page ------------------------------------------------------------------------------------------------------

  const scenes = new Map(); // element -> Scene, made when it comes near the screen
  const makers = new Map(); // element -> function that makes its scene
  let renderer = null, watch = null;

  function show(root) {
    let scene = scenes.get(root);
    if (!scene) {
      for (const still of root.querySelectorAll(".still")) still.hidden = true;
      for (const live of root.querySelectorAll("canvas, .hint")) live.hidden = false;
      scene = makers.get(root)(root);
      scenes.set(root, scene);
    }
    return scene;
  }

  // Has an element show a scene once it is near the screen; false where there is no WebGL and the still pictures stay.
  function add(root, make) {
    if (!start()) return false;
    makers.set(root, make);
    watch.observe(root);
    return true;
  }

  function start() {
    if (watch) return renderer !== null;
    watch = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting && !scenes.has(entry.target)) continue;
        const scene = show(entry.target);
        scene.visible = entry.isIntersecting;
        if (scene.visible && scene.dirty) scene.draw();
      }
    }, { rootMargin: "300px" });
    try {
      renderer = new Renderer(true);
      if (renderer.isSoftware()) renderer = new Renderer(false);
    } catch (error) {
      console.warn("meshes stay pictures:", error.message);
      return false;
    }
    const redraw = () => scenes.forEach((scene) => scene.draw());
    window.addEventListener("resize", redraw);
    window.addEventListener("beforeprint", () => makers.forEach((_, root) => show(root).drawNow()));
    return true;
  }

  for (const data of document.querySelectorAll(".meshes .mesh-data")) add(data.closest(".meshes"), Scene.stored);
  return { scenes, add, Scene, decodePositions, decodeValues, decodeColors, decodeTriangles };
})();
