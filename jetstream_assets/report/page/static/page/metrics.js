// Tables of effects: goal metrics, guardrails, others. A row for each metric and branch.

const COLUMNS = [
  ["Branch", null], ["Direction", null], ["Reference → branch", "number"], ["Difference", "number"],
  ["Relative", "number"], ["p", "number"],
];
const MOST_AT_ONCE = 30;

function metricTitle(metric) {
  const title = metric.friendly_name && metric.friendly_name !== metric.name ? metric.friendly_name : null;
  return [title ?? metric.name, title ? make("small", {}, metric.name) : null,
    metric.bigger_is_better ? null : make("small", {}, "less is better")];
}

function pointText(record) {
  return record ? estimateText(record).point : NOT_AVAILABLE;
}

function unitsNote(record) {
  return make("small", { class: "units" }, `${record ? numberText(record.units) : NOT_AVAILABLE} units`);
}

function estimateCell(label, record) {
  if (!record) return make("td", { class: "number", "data-label": label }, NOT_AVAILABLE);
  const { point, interval } = estimateText(record);
  return make("td", { class: "number", "data-label": label }, make("span", {}, point, " ",
    interval ? make("span", { class: "interval" }, interval) : null));
}

function pValueCell(effect) {
  const record = effect.difference ?? effect.relative;
  const isAdjusted = record && record.p_value_adjusted !== undefined;
  const text = probabilityText(record && (isAdjusted ? record.p_value_adjusted : record.p_value));
  return make("td", { class: "number", "data-label": "p" }, make("span", {}, text,
    isAdjusted ? make("span", { class: "interval" }, " adj., was ", probabilityText(record.p_value)) : null));
}

// The effect that would be found with the declared power, at the present size.
function powerCell(effect) {
  const record = effect.detectable;
  return make("td", { class: "number", "data-label": "Detectable" }, make("span", {},
    record ? percentText(record.point) : NOT_AVAILABLE,
    record && record.parameter !== undefined
      ? make("span", { class: "interval" }, " power ", shareText(Number(record.parameter))) : null));
}

// The metric of a row; seen only in the first of its rows, where rows stand under each other.
function metricHead(metric) {
  return make("th", { scope: "row" }, make("div", {}, metricTitle(metric)));
}

function effectRow(effect, scale, options) {
  const toward = direction(effect);
  const mark = { better: "is-better", worse: "is-worse" }[toward] ?? "soft";
  return make("tr", { class: options.isAgain ? "effect again" : "effect", "data-metric": effect.metric.name },
    metricHead(effect.metric),
    make("td", { "data-label": "Branch" }, make("div", {}, branchLabel(effect.branch), unitsNote(effect.own))),
    make("td", { "data-label": "Direction", class: `direction ${mark}` }, toward),
    make("td", { class: "number", "data-label": "Reference → branch" }, `${pointText(effect.other)} → ${pointText(effect.own)}`),
    estimateCell("Difference", effect.difference),
    estimateCell("Relative", effect.relative),
    pValueCell(effect),
    options.hasPower ? powerCell(effect) : null,
    forestCell(scale, effect, colourOf(effect.branch)));
}

// A metric without an estimate in a branch: the reason, not an empty row.
function reasonRow({ metric, branch }, window, options) {
  return make("tr", { class: options.isAgain ? "again" : null, "data-metric": metric.name },
    metricHead(metric),
    make("td", { "data-label": "Branch" }, branch ? branchLabel(branch) : ""),
    make("td", { colspan: options.columns - 2, class: "soft" }, "No result: ", whyMissing(metric.name, window)));
}

function metricsTable(caption, metrics, records, window, reference) {
  const branches = otherBranches(reference);
  const effects = metrics.flatMap((metric) =>
    (branches.length ? branches : [null]).map((branch) => effectOf(records, metric, branch, reference)));
  const hasPower = effects.some((effect) => effect.detectable);
  const scale = forestScale(effects);
  const columns = [["Metric", null], ...COLUMNS, ...(hasPower ? [["Detectable", "number"]] : [])];
  const rows = effects.map((effect, index) => {
    const isAgain = index > 0 && effects[index - 1].metric === effect.metric;
    return effect.relative || effect.difference || effect.own
      ? effectRow(effect, scale, { hasPower, isAgain })
      : reasonRow(effect, window, { columns: columns.length + 1, isAgain });
  });
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", { class: "cards metrics" },
      make("caption", {}, caption),
      make("thead", {}, make("tr", {},
        columns.map(([name, kind]) => make("th", { scope: "col", class: kind }, name)),
        make("th", { scope: "col", class: "forest" }, make("span", { class: "sr-only" }, "Relative difference"), forestAxis(scale)))),
      make("tbody", {}, rows)));
}

function captionOf(window, reference) {
  const { basis, segment } = selected();
  return `${windowName(window)}, basis ${basis}, segment ${segment}, against ${reference}`;
}

// Fill the sections of all roles.
async function showMetrics(window, reference) {
  const { basis, segment } = selected();
  const records = within(await recordsOf(window.period), window.window_index, basis, segment);
  for (const role of ["goal", "guardrail", "other"]) {
    const place = document.querySelector(`[data-metrics="${role}"]`);
    if (!place) continue;
    const metrics = overview.metrics.filter((metric) => metric.role === role && isShown(metric, window));
    const table = (some) => metricsTable(captionOf(window, reference), some, records, window, reference);
    place.replaceChildren(...inParts(metrics, MOST_AT_ONCE, table));
    if (!metrics.length) place.replaceChildren(make("p", { class: "note" }, "No metric is computed for this period."));
  }
}

// A metric of the rule always; another where its period has it, or its result is missing.
function isShown(metric, window) {
  return metric.role !== "other" || (metric.statistic !== null && metric.periods.includes(window.period));
}

// The first few, and a button for the rest, so that hundreds of metrics do not stop the page.
function inParts(items, most, build) {
  if (!items.length) return [];
  const parts = [build(items.slice(0, most))];
  if (items.length > most) {
    const button = make("button", { type: "button" }, `Show ${items.length - most} more`);
    button.addEventListener("click", () => button.replaceWith(...inParts(items.slice(most), most, build)));
    parts.push(button);
  }
  return parts;
}
