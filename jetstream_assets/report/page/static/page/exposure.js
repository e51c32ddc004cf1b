// Who enrolled and who was exposed, day by day and in all, against what the ratios say.

function showExposure() {
  const place = document.querySelector("[data-exposure]");
  const known = overview.exposure;
  if (!place || !known) return;
  const days = known.days.map((day) => new Date(day));
  const series = (name) => known.branches.flatMap((branch) =>
    (branch[name] ?? []).map((units, index) => ({ branch: branch.branch, day: days[index], units })));
  const hasExposed = known.branches.some((branch) => branch.exposed !== null);
  const charts = [
    unitsChart("Enrolled units in all", series("enrolled_total"), "enrolled_total", series("expected_total")),
    hasExposed ? unitsChart("Exposed units in all", series("exposed_total"), "exposed_total") : null,
    unitsChart("Enrolled units each day", series("enrolled"), "enrolled"),
    hasExposed ? unitsChart("Exposed units each day, by first exposure", series("exposed"), "exposed") : null,
  ];
  place.replaceChildren(
    legend([
      ...overview.branches.map((branch) => ({ name: branch.slug, colour: colourOf(branch.slug) })),
      { name: "expected by the ratios", colour: "currentColor", dash: "3 4" },
    ]),
    make("div", { class: "charts" }, charts.filter(Boolean)),
    hasExposed ? "" : emptyNote("Exposures are not known for this experiment."));
}

function unitsChart(caption, points, name, expected = []) {
  const { days, branches } = overview.exposure;
  const isOneDay = days.length === 1;
  const table = () => plainTable(caption, ["Day", ...branches.map((branch) => branch.branch)],
    days.map((day, index) => [day, ...branches.map((branch) => numberText(branch[name] && branch[name][index]))]));
  return figure(caption, {
    x: { type: "utc", label: null, ticks: Math.min(days.length, 5), grid: false },
    y: { label: null, grid: true, zero: true, ticks: 4, tickFormat: numberTick },
    marks: [
      Charts.ruleY([0]),
      Charts.lineY(expected, { x: "day", y: "units", z: "branch", stroke: "currentColor", strokeDasharray: "3 4", strokeOpacity: 0.8 }),
      Charts.lineY(points, { x: "day", y: "units", z: "branch", stroke: (point) => colourOf(point.branch), strokeWidth: 2 }),
      Charts.dot(isOneDay ? points : [], { x: "day", y: "units", fill: (point) => colourOf(point.branch), r: 4 }),
    ],
  }, table);
}
