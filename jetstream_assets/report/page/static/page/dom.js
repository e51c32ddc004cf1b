// Making elements. Belongs here: the only way in which text gets into the page, which is as text.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

// A table of texts for those who do not read the chart above it.
function plainTable(caption, header, rows) {
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", {},
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, header.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, rows.map((row) =>
        make("tr", {}, row.map((cell, index) =>
          index ? make("td", { class: "number" }, cell) : make("th", { scope: "row" }, cell)))))));
}

// Shut until somebody wants it, and made only then.
function onDemand(summary, build) {
  const details = make("details", {}, make("summary", {}, summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(build());
  });
  return details;
}
