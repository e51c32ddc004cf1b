// Whole distributions: deciles against the reference, shares of units up to a value, densities.

const MOST_DISTRIBUTIONS = 6;
const CURVES = { empirical_cdf: "share of units up to a value", kernel_density_estimate: "density" };
// The last hundredth of a long tail would press all others together.
const SHOWN_SHARE = 0.99;

async function showDistributions(window, reference) {
  const place = document.querySelector("[data-distributions]");
  if (!place) return;
  const { basis, segment } = selected();
  const records = within(await recordsOf(window.period), window.window_index, basis, segment);
  const charts = [];
  for (const metric of overview.metrics) {
    const of = (statistic) => records.filter((one) => one.metric === metric.name && one.statistic === statistic);
    const deciles = of("deciles").filter((one) =>
      one.comparison === "difference" && one.comparison_to_branch === reference);
    if (deciles.length) charts.push(() => decilesChart(metric, deciles));
    for (const statistic of Object.keys(CURVES)) {
      const points = of(statistic).filter((one) => one.comparison === undefined);
      if (points.length) charts.push(() => curvesChart(metric, statistic, points));
    }
  }
  const build = (some) => make("div", { class: "charts" }, some.map((chart) => chart()));
  place.replaceChildren(...(charts.length
    ? [branchLegend(overview.branches.map((branch) => branch.slug)), ...inParts(charts, MOST_DISTRIBUTIONS, build)]
    : [emptyNote("No distribution is computed for this window.")]));
}

function decilesChart(metric, records) {
  const told = `${metric.friendly_name ?? metric.name}: difference of deciles`;
  const points = records.map((record) => ({ ...record, decile: Number(record.parameter) }))
    .sort((one, two) => one.decile - two.decile);
  const bounded = points.filter((one) => one.lower !== undefined && one.upper !== undefined);
  const colour = (one) => colourOf(one.branch);
  const table = () => plainTable(told, ["Decile", "Branch", "Difference"],
    points.map((one) => [shareText(one.decile), one.branch, bothTexts(one)]));
  const chart = figure(told, {
    x: { label: "decile", ticks: points.map((one) => one.decile), tickFormat: shareText, labelArrow: "none" },
    y: { label: null, grid: true, ticks: 5, tickFormat: numberTick },
    marks: [
      Charts.areaY(bounded, { x: "decile", y1: "lower", y2: "upper", z: "branch", fill: colour, fillOpacity: 0.22 }),
      Charts.ruleY([0], { strokeOpacity: 0.8 }),
      Charts.lineY(points, { x: "decile", y: "point", z: "branch", stroke: colour, strokeWidth: 2 }),
      Charts.dot(points, { x: "decile", y: "point", fill: colour, r: 3 }),
    ],
  }, table);
  chart.classList.add("effect");
  return chart;
}

function curvesChart(metric, statistic, records) {
  const told = `${metric.friendly_name ?? metric.name}: ${CURVES[statistic]}`;
  const points = records.map((record) => ({ branch: record.branch, value: Number(record.parameter), share: record.point }))
    .sort((one, two) => one.value - two.value);
  const isCumulative = statistic === "empirical_cdf";
  const reach = isCumulative
    ? points.filter((one) => one.share < SHOWN_SHARE).reduce((most, one) => Math.max(most, one.value), 0) : 0;
  const shown = reach > 0 ? points.filter((one) => one.value <= reach) : points;
  const isCut = shown.length < points.length;
  return figure(isCut ? `${told}, the first ${SHOWN_SHARE * 100}%` : told, {
    x: { label: null, ticks: 5, tickFormat: numberTick },
    y: { label: null, grid: true, zero: true, ticks: 5, tickFormat: numberTick },
    marks: [
      Charts.ruleY([0]),
      Charts.line(shown, {
        x: "value", y: "share", z: "branch", stroke: (one) => colourOf(one.branch), strokeWidth: 2,
        curve: isCumulative ? "step-after" : "linear",
      }),
    ],
  }, () => plainTable(told, ["Value", "Branch", "Point"],
    shown.map((one) => [numberText(one.value), one.branch, numberText(one.share)])));
}
