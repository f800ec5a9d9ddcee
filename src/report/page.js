(() => {
  "use strict";
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Tables: a click on a head sorts (up, down, as it was); a field filters tables of many rows.
  const FILTERED = 12;
  const compare = (column, sign) => (a, b) => {
    const [x, y] = [a, b].map((row) => row.cells[column]);
    if (!x || !y) return 0;
    if (x.dataset.v === undefined) return sign * x.textContent.localeCompare(y.textContent, "en", { numeric: true });
    // What is missing comes last either way.
    if (x.dataset.v === "" || y.dataset.v === "") return (x.dataset.v === "") - (y.dataset.v === "");
    return sign * (Number(x.dataset.v) - Number(y.dataset.v));
  };
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    if (!table.tHead || rows.length < 2) continue;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = make("button", { type: "button", className: "sort", title: "Sort" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")] || "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (next !== "none") head.setAttribute("aria-sort", next);
        const order = [...rows];
        if (next !== "none") order.sort(compare(column, next === "ascending" ? 1 : -1));
        body.append(...order);
      });
    });
    if (rows.length < FILTERED) continue;
    const count = make("output", {});
    const field = make("input", { type: "search", placeholder: "Filter rows", ariaLabel: "Filter the rows of this table" });
    const filter = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = `${shown} of ${rows.length} rows`;
    };
    field.addEventListener("input", filter);
    filter();
    table.closest(".scroll").before(make("div", { className: "filter" }, field, count));
  }

  // Figures: values under the pointer or the arrow keys; enlarging by buttons, keys, double click, and dragging when enlarged.
  const SVG = "http://www.w3.org/2000/svg";
  const tip = make("div", { className: "tip", hidden: true });
  tip.setAttribute("role", "status");
  document.body.append(tip);
  const digits = (value) => (value === null ? "–" : Number(value.toPrecision(3)).toString().replace("-", "−"));
  const signed = (value) => (value > 0 ? `+${value}` : String(value).replace("-", "−"));

  const enliven = (plot, svg) => {
    const note = svg.querySelector("metadata");
    const panels = note ? JSON.parse(note.textContent) : [];
    const whole = svg.getAttribute("viewBox").split(/\s+/).map(Number);
    let view = [...whole];
    const line = document.createElementNS(SVG, "line");
    line.setAttribute("class", "cursor");
    line.setAttribute("visibility", "hidden");
    svg.append(line);
    let at = null; // [panel, offset] of the arrow keys

    const toScreen = (x, y) => new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
    const hide = () => {
      tip.hidden = true;
      line.setAttribute("visibility", "hidden");
    };
    const show = (lines, x, y) => {
      tip.replaceChildren(...lines);
      tip.hidden = false;
      const { width, height } = tip.getBoundingClientRect();
      tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 4))}px`;
      tip.style.top = `${Math.max(4, Math.min(y + 14, innerHeight - height - 4))}px`;
    };
    const offsetAt = (panel, x) => {
      const [left, , right] = panel.box;
      return panel.x[0] + ((x - left) / (right - left)) * (panel.x[1] - panel.x[0]);
    };
    const tell = (panel, offset, screen) => {
      const lines = [make("div", {}, make("strong", {}, signed(offset)))];
      for (const series of panel.series) {
        const i = series.at.indexOf(offset);
        if (i < 0) continue;
        const swatch = make("span", { className: "swatch" });
        swatch.style.background = series.color;
        const band = series.low && series.low[i] !== null ? ` (${digits(series.low[i])} to ${digits(series.high[i])})` : "";
        lines.push(make("div", {}, swatch, `${digits(series.value[i])}${band}  ${series.name}`));
      }
      if (lines.length < 2) return hide();
      const [left, top, right, bottom] = panel.box;
      const x = left + ((offset - panel.x[0]) / (panel.x[1] - panel.x[0])) * (right - left);
      for (const [name, value] of Object.entries({ x1: x, x2: x, y1: top, y2: bottom, visibility: "visible" })) line.setAttribute(name, value);
      const point = screen || toScreen(x, top);
      show(lines, point.x, point.y);
    };
    const over = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      const inside = ({ box: [left, top, right, bottom] }) => point.x >= left && point.x <= right && point.y >= top && point.y <= bottom;
      const panel = panels.find((one) => one.series && inside(one));
      if (panel) return tell(panel, Math.round(offsetAt(panel, point.x)), { x: event.clientX, y: event.clientY });
      let best = null;
      for (const [x, y, name] of panels.flatMap((one) => one.points || [])) {
        const screen = toScreen(x, y);
        const distance = Math.hypot(screen.x - event.clientX, screen.y - event.clientY);
        if (distance < 14 && (!best || distance < best.distance)) best = { distance, name };
      }
      if (!best) return hide();
      show([make("div", {}, best.name)], event.clientX, event.clientY);
    };

    const look = ([x, y, width, height]) => {
      const within = (low, size, [from, most]) => Math.max(from, Math.min(low, from + most - size));
      view = [within(x, width, [whole[0], whole[2]]), within(y, height, [whole[1], whole[3]]), width, height];
      svg.setAttribute("viewBox", view.join(" "));
      plot.classList.toggle("enlarged", width < whole[2]);
    };
    const zoom = (factor, about) => {
      const width = Math.max(whole[2] / 32, Math.min(whole[2], view[2] / factor));
      const height = (width / whole[2]) * whole[3];
      const [x, y] = about || [view[0] + view[2] / 2, view[1] + view[3] / 2];
      look([x - ((x - view[0]) / view[2]) * width, y - ((y - view[1]) / view[3]) * height, width, height]);
    };
    const button = (text, name, action) => {
      const element = make("button", { type: "button", textContent: text, title: name, ariaLabel: name });
      element.addEventListener("click", action);
      return element;
    };
    const tools = make("div", { className: "tools" });
    tools.append(
      button("+", "Enlarge", () => zoom(1.6)),
      button("−", "Reduce", () => zoom(1 / 1.6)),
      button("⤢", "Whole figure", () => look(whole)),
    );
    plot.before(tools);

    let drag = null;
    svg.addEventListener("pointerdown", (event) => {
      if (view[2] < whole[2]) {
        drag = { x: event.clientX, y: event.clientY, view: [...view] };
        svg.setPointerCapture(event.pointerId);
      }
    });
    svg.addEventListener("pointermove", (event) => {
      if (!drag) return over(event);
      hide();
      const scale = drag.view[2] / svg.getBoundingClientRect().width;
      look([drag.view[0] - (event.clientX - drag.x) * scale, drag.view[1] - (event.clientY - drag.y) * scale, drag.view[2], drag.view[3]]);
    });
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => (drag = null));
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("dblclick", (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      zoom(2, [point.x, point.y]);
    });
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const lines = panels.filter((panel) => panel.series && panel.series.length);
      const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (event.key === "+" || event.key === "=") zoom(1.6);
      else if (event.key === "-") zoom(1 / 1.6);
      else if (event.key === "0") look(whole);
      else if (event.key === "Escape") hide();
      else if (steps && lines.length && !event.ctrlKey && !event.metaKey && !event.altKey) {
        const [panel, offset] = at || [0, -steps[1]];
        const next = (panel + steps[0] + lines.length) % lines.length;
        const some = lines[next].series[0].at;
        at = [next, Math.max(some[0], Math.min(offset + steps[1], some[some.length - 1]))];
        tell(lines[next], at[1], null);
      } else return;
      event.preventDefault();
    });
  };
  for (const plot of document.querySelectorAll(".plot")) {
    const svg = plot.querySelector("svg");
    if (svg && svg.hasAttribute("viewBox")) enliven(plot, svg);
  }

  // Links into folded sections open them; paper shows everything.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && target.closest("details");
    if (folded && !folded.open) {
      folded.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", unfold);
  unfold();
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));
})();
