// Plots: the legend hides curves, the pointer (or the arrow keys) reads their values.
"use strict";
for (const figure of document.querySelectorAll("figure.plot")) {
  const svg = figure.querySelector(".drawing svg");
  const reading = figure.querySelector(".reading");
  const axes = JSON.parse(svg.dataset.axes);
  const [left, top, right, bottom] = axes.box;
  const curves = [...svg.querySelectorAll("g.curve")].map((group) => ({
    group,
    name: group.dataset.name,
    pieces: [...group.querySelectorAll("polyline")].map((line) =>
      line.getAttribute("points").split(" ").map((point) => point.split(",").map(Number))),
  }));
  const layer = document.createElementNS(svg.namespaceURI, "g");
  svg.append(layer);
  let cursor = null; // x of the reading, in units of the drawing

  for (const button of figure.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      curves[button.dataset.curve].group.classList.toggle("off", !shown);
      if (cursor !== null) read(cursor);
    });
  }

  const toValue = (place, from, to, ends, log) => {
    const share = (place - from) / (to - from);
    return log ? ends[0] * (ends[1] / ends[0]) ** share : ends[0] + (ends[1] - ends[0]) * share;
  };
  const show = (value) => String(Number(value.toPrecision(3)));

  // y of a curve at x: between the points on either side; null outside. Of a vertical step, its upper end.
  function heightAt(pieces, x) {
    let best = null;
    for (const points of pieces) {
      for (let i = 0; i < points.length; i++) {
        const [x0, y0] = points[i], [x1, y1] = points[Math.min(i + 1, points.length - 1)];
        if (x < Math.min(x0, x1) - 0.01 || x > Math.max(x0, x1) + 0.01) continue;
        const y = Math.abs(x1 - x0) < 0.01 ? Math.min(y0, y1) : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
        if (best === null || y < best) best = y;
      }
    }
    return best;
  }

  function read(x) {
    cursor = Math.min(Math.max(x, left), right);
    layer.replaceChildren();
    reading.replaceChildren();
    const line = document.createElementNS(svg.namespaceURI, "path");
    line.setAttribute("class", "cursor");
    line.setAttribute("d", `M${cursor} ${top}V${bottom}`);
    layer.append(line);
    addLine(`at ${show(toValue(cursor, left, right, axes.x, axes.log))}`, "");
    for (const { group, name, pieces } of curves) {
      if (group.classList.contains("off")) continue;
      const y = heightAt(pieces, cursor);
      if (y === null) continue;
      const color = [...group.classList].find((c) => /^c\d/.test(c));
      const mark = document.createElementNS(svg.namespaceURI, "circle");
      mark.setAttribute("class", `mark ${color}`);
      mark.setAttribute("cx", cursor);
      mark.setAttribute("cy", y);
      mark.setAttribute("r", 4);
      layer.append(mark);
      addLine(`${show(toValue(y, bottom, top, axes.y, false))}  ${name}`, color);
    }
    reading.hidden = false;
    const scale = svg.clientWidth / svg.viewBox.baseVal.width;
    const room = svg.clientWidth - cursor * scale;
    reading.style.left = reading.offsetWidth + 14 < room ? `${cursor * scale + 10}px` : "";
    reading.style.right = reading.offsetWidth + 14 < room ? "" : `${room + 10}px`;
    reading.style.top = `${top * scale + 6}px`;
  }

  function addLine(words, color) {
    const span = document.createElement("span");
    span.textContent = words;
    span.className = color;
    reading.append(span);
  }

  function stop() {
    cursor = null;
    layer.replaceChildren();
    reading.hidden = true;
  }

  const follow = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) * svg.viewBox.baseVal.width) / box.width;
    if (x < left - 6 || x > right + 6) stop();
    else read(x);
  };
  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") stop(); });
  svg.addEventListener("blur", stop);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") stop();
    if (!step) return;
    event.preventDefault();
    read(cursor === null ? (step > 0 ? left : right) : cursor + (step * (right - left)) / (event.shiftKey ? 10 : 100));
  });
}
