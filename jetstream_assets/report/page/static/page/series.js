// Effects window by window since enrollment, the always-valid band beside the fixed one.

const MOST_SERIES = 9;

async function showSeries(reference) {
  const place = document.querySelector("[data-series]");
  if (!place) return;
  const { basis, segment } = selected();
  const parts = [];
  for (const period of ["daily", "weekly", "days28"]) {
    const windows = overview.windows.filter((window) => window.period === period);
    if (windows.length < 2) continue;
    const records = await recordsOf(period);
    const metrics = overview.metrics.filter((metric) => metric.statistic && metric.periods.includes(period));
    const charts = metrics.map((metric) => seriesOf(metric, windows, records, { basis, segment, reference }))
      .filter((one) => one.points.length > 1);
    if (!charts.length) continue;
    parts.push(make("h3", {}, `${optionOf(windows[0]).parentElement.label}: since enrollment`),
      ...inParts(charts, MOST_SERIES, (some) => make("div", { class: "charts effect" }, some.map(seriesChart))));
  }
  place.replaceChildren(...(parts.length
    ? [branchLegend(otherBranches(reference)), bandLegend(), ...parts]
    : [emptyNote("There are not yet two windows of a period to compare.")]));
}

function bandLegend() {
  const hasSequential = overview.metrics.some((metric) => metric.sequential);
  return legend([
    { name: "interval of a single look", colour: "currentColor", band: 0.35 },
    ...(hasSequential ? [{ name: "always valid: looking every day is safe", colour: "currentColor", band: 0.12 }] : []),
  ]);
}

function seriesOf(metric, windows, records, { basis, segment, reference }) {
  const points = windows.flatMap((window) => {
    const found = within(records, window.window_index, basis, segment);
    return otherBranches(reference).map((branch) => ({
      day: window.end + 1, window, branch, ...effectOf(found, metric, branch, reference),
    }));
  });
  return { metric, points: points.filter((point) => point.relative) };
}

function seriesChart({ metric, points }) {
  const told = metric.friendly_name ?? metric.name;
  const of = (name, bound) => (point) => point[name] && point[name][bound];
  const bounded = (name) => points.filter((point) => point[name] &&
    Number.isFinite(point[name].lower) && Number.isFinite(point[name].upper));
  const colour = (point) => colourOf(point.branch);
  const band = (name, opacity) => Charts.areaY(bounded(name), {
    x: "day", y1: of(name, "lower"), y2: of(name, "upper"), z: "branch", fill: colour, fillOpacity: opacity,
  });
  const margin = metric.margin ? [metric.bigger_is_better ? -metric.margin : metric.margin] : [];
  const table = () => plainTable(`${told}: relative difference`, ["Window", "Branch", "Relative", "Always valid"],
    points.map((point) => [windowName(point.window), point.branch, bothTexts(point.relative), bothTexts(point.sequential)]));
  return figure(told, {
    x: { label: "days since enrollment", ticks: 6, tickFormat: (day) => String(day), labelArrow: "none" },
    y: { label: null, grid: true, ticks: 5, tickFormat: percentTick },
    marks: [
      band("sequential", 0.12), band("relative", 0.28), Charts.ruleY([0], { strokeOpacity: 0.8 }),
      Charts.ruleY(margin, { stroke: "#c0392b", strokeDasharray: "4 3" }),
      Charts.lineY(points, { x: "day", y: of("relative", "point"), z: "branch", stroke: colour, strokeWidth: 2 }),
      Charts.dot(points, { x: "day", y: of("relative", "point"), fill: colour, r: points.length > 40 ? 1.5 : 3 }),
    ],
  }, table);
}

function bothTexts(record) {
  if (!record) return NOT_AVAILABLE;
  const { point, interval } = estimateText(record);
  return `${point} ${interval}`.trim();
}
