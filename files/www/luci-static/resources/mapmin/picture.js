"use strict";
"require baseclass";
"require mapmin.ports as ports";

/** The picture of the 65,536 ports, a square for each range beside it, and a line that says what is under the pointer. */

const NAMESPACE = "http://www.w3.org/2000/svg";
const LEVELS = [_("none in use"), _("less than half in use"), _("half or more in use"), _("all in use")];
const SCALE = [0, 16384, 32768, 49152, 65535];
/** Most ranges that are drawn as squares of their own. */
const SQUARES = 1024;

function svg(name, attributes, children = []) {
  return E(document.createElementNS(NAMESPACE, name), attributes, children);
}

function about({ low, high, size, used }) {
  const range = low === high ? String(low) : `${low}-${high}`;
  return used === null
    ? _("%s: not known how many are in use").format(range)
    : _("%s: %d of %d in use").format(range, used, size);
}

class Picture {
  constructor() {
    this.blocks = [];
    this.paths = LEVELS.map((_label, level) => svg("path", { class: `mapmin-level-${level}`, d: "" }));
    this.drawing = svg(
      "svg",
      { viewBox: `0 0 ${ports.SIDE} ${ports.SIDE}`, role: "img", "shape-rendering": "crispEdges" },
      [svg("rect", { class: "mapmin-ground", width: ports.SIDE, height: ports.SIDE }), ...this.paths],
    );
    this.squares = E("div", { class: "mapmin-ranges" });
    this.line = E("div", { class: "mapmin-pointed" });
    for (const event of ["pointermove", "pointerdown"])
      this.drawing.addEventListener(event, (moved) => this.point(moved));
    this.node = E("figure", { class: "mapmin-picture" }, [
      E("div", { class: "mapmin-map" }, [
        E(
          "div",
          { class: "mapmin-scale", "aria-hidden": "true" },
          SCALE.map((port) => E("span", {}, [port])),
        ),
        this.drawing,
      ]),
      E(
        "div",
        { class: "mapmin-key" },
        LEVELS.map((label, level) =>
          E("span", {}, [E("span", { class: `mapmin-cell mapmin-level-${level}` }), label]),
        ),
      ),
      this.line,
      this.squares,
    ]);
  }

  update(blocks) {
    this.blocks = blocks;
    this.node.style.display = blocks.length === 0 ? "none" : "";
    ports.paths(blocks).forEach((path, level) => {
      if (this.paths[level].getAttribute("d") !== path) this.paths[level].setAttribute("d", path);
    });
    this.drawing.setAttribute("aria-label", _("The 65,536 ports, and those in use of ours"));
    if (this.line.textContent === "") this.line.replaceChildren(_("Point at the picture: it says which port that is."));
    this.squares.replaceChildren(
      ...(blocks.length > SQUARES ? [] : blocks).map((block) =>
        E("span", { class: `mapmin-cell mapmin-level-${ports.level(block)}`, title: about(block) }),
      ),
    );
  }

  point({ clientX, clientY }) {
    const { left, top, width, height } = this.drawing.getBoundingClientRect();
    const place = (at, from, length) =>
      Math.max(0, Math.min(ports.SIDE - 1, Math.floor((ports.SIDE * (at - from)) / length)));
    const port = place(clientY, top, height) * ports.SIDE + place(clientX, left, width);
    const block = ports.blockOf(this.blocks, port);
    this.line.replaceChildren(block === undefined ? _("%d: not ours").format(port) : about(block));
  }
}

return baseclass.extend({ make: () => new Picture() });
