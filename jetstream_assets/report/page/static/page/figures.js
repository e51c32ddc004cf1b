// Charts with their words. Belongs here: what all charts share.

// A chart as wide as its place, with a caption and the same as a table.
function figure(caption, options, table, width = 340) {
  const chart = Charts.plot({
    width, height: 210, marginLeft: 52, marginBottom: 34,
    style: { background: "transparent", fontSize: "11px", fontFamily: "inherit" },
    ...options,
  });
  // The picture as a whole has a name; its lines and axes have none that says more.
  for (const part of chart.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", caption);
  return make("figure", {}, make("figcaption", {}, caption), chart, table ? onDemand("As a table", table) : null);
}

// Numbers of an axis, without the zeros that a column of numbers would need.
function numberTick(value) {
  return withoutZeros(numberText(value));
}

function percentTick(value) {
  return value === 0 ? "0%" : withoutZeros(percentText(value));
}

function withoutZeros(text) {
  return text.replace(/(\.\d*?)0+(%?)$/, "$1$2").replace(/\.(%?)$/, "$1");
}

function emptyNote(text) {
  return make("p", { class: "note" }, text);
}
