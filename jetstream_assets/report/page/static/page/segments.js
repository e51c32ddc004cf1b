// The same effects in each segment, side by side: to raise questions, not to answer them.

const MOST_SEGMENT_METRICS = 6;

async function showSegments(window, reference) {
  const place = document.querySelector("[data-segments]");
  if (!place) return;
  const records = await recordsOf(window.period);
  const { basis } = selected();
  const metrics = overview.metrics.filter((metric) => metric.statistic && metric.periods.includes(window.period));
  const build = (some) => make("div", { class: "multiples effect" },
    some.map((metric) => segmentsTable(metric, records, window, { basis, reference })));
  const parts = inParts(metrics, MOST_SEGMENT_METRICS, build);
  place.replaceChildren(...(parts.length ? parts : [emptyNote("No metric is computed for this period.")]));
}

function segmentsTable(metric, records, window, { basis, reference }) {
  const effects = overview.segments.flatMap((segment) => otherBranches(reference).map((branch) => ({
    segment: segment.name,
    label: segment.friendly_name ?? segment.name,
    ...effectOf(within(records, window.window_index, basis, segment.name), metric, branch, reference),
  })));
  const scale = forestScale(effects);
  const told = metric.friendly_name ?? metric.name;
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${told} by segment` },
    make("table", { class: "cards" },
      make("caption", {}, make("strong", {}, told), `: ${windowName(window)}, basis ${basis}, against ${reference}`),
      make("thead", {}, make("tr", {},
        make("th", { scope: "col" }, "Segment"), make("th", { scope: "col" }, "Branch"),
        make("th", { scope: "col", class: "number" }, "Relative"),
        make("th", { scope: "col", class: "forest" }, make("span", { class: "sr-only" }, "Relative difference"), forestAxis(scale)))),
      make("tbody", {}, effects.map((effect, index) => make("tr", { class: index && effects[index - 1].segment === effect.segment ? "again" : null },
        make("th", { scope: "row" }, make("div", {}, effect.label)),
        make("td", { "data-label": "Branch" }, make("div", {}, branchLabel(effect.branch), unitsNote(effect.own))),
        estimateCell("Relative", effect.relative),
        forestCell(scale, effect, colourOf(effect.branch)))))));
}
