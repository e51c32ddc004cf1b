// Which records speak for what. Belongs here: finding records; no number is made here.

const CI_WIDTH = 0.95;
const DETECTABLE = "minimum_detectable_effect";
const DAYS_NEEDED = "days_to_detect_effect";

const indexes = new WeakMap();

// The records of one window index, analysis basis and segment.
function within(records, index, basis, segment) {
  if (!indexes.has(records)) indexes.set(records, indexed(records));
  return indexes.get(records).get(JSON.stringify([String(index), basis, segment])) ?? [];
}

function indexed(records) {
  const found = new Map();
  for (const record of records) {
    const key = JSON.stringify([record.window_index, record.analysis_basis, record.segment]);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(record);
  }
  return found;
}

// Of several confidence levels, the usual one; without it, the highest.
function usual(records) {
  return records.find((record) => record.ci_width === CI_WIDTH) ??
    records.reduce((best, one) => (best && best.ci_width >= one.ci_width ? best : one), undefined);
}

function recordOf(records, metric, statistic, branch, comparison, reference) {
  return usual(records.filter((record) =>
    record.metric === metric && record.statistic === statistic && record.branch === branch &&
    record.comparison === comparison && record.comparison_to_branch === reference));
}

// Everything that is said of a metric in a branch against the reference.
function effectOf(records, metric, branch, reference) {
  const told = (statistic, comparison) => statistic === null ? undefined : recordOf(
    records, metric.name, statistic, branch, comparison, comparison && reference);
  return {
    metric, branch, reference,
    own: told(metric.statistic),
    other: metric.statistic === null ? undefined
      : recordOf(records, metric.name, metric.statistic, reference, undefined, undefined),
    difference: told(metric.statistic, "difference"),
    relative: told(metric.statistic, RELATIVE),
    unadjusted: told(metric.unadjusted, RELATIVE),
    sequential: told(metric.sequential, RELATIVE),
    detectable: told(DETECTABLE, RELATIVE),
    daysNeeded: told(DAYS_NEEDED, "difference"),
  };
}

function otherBranches(reference) {
  return overview.branches.map((branch) => branch.slug).filter((slug) => slug !== reference);
}

// Better, worse or neither: by the adjusted p-value where there is one, else by the interval.
function direction({ metric, difference, relative }) {
  const record = difference ?? relative;
  if (!record || (record.lower === undefined && record.upper === undefined)) return "not known";
  const isCertain = record.p_value_adjusted === undefined
    ? record.lower > 0 || record.upper < 0
    : record.p_value_adjusted < 1 - record.ci_width && record.point !== 0;
  if (!isCertain) return "no certain difference";
  return record.point > 0 === metric.bigger_is_better ? "better" : "worse";
}

// Why a metric has no result in a window, as far as that is known.
function whyMissing(metric, window) {
  const name = `${window.period} ${window.window_index}`;
  const of = overview.missing.filter((one) => one.metrics.includes(metric));
  const reason = of.find((one) => one.windows.includes(name)) ?? of.find((one) => !one.windows.length);
  if (reason) return reason.reason;
  const known = overview.metrics.find((one) => one.name === metric);
  if (known && !known.periods.includes(window.period)) {
    return `not asked for in this period; it is computed ${known.periods.join(", ") || "in none"}`;
  }
  return "no result is stored";
}
