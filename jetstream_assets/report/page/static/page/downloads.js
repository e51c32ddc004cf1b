// The exported documents as files, and the statistics as CSV with the same values.

const FIELDS = [
  "period", "window_index", "analysis_basis", "segment", "metric", "statistic", "covariate", "branch",
  "comparison", "comparison_to_branch", "ci_width", "parameter", "point", "lower", "upper", "units",
  "p_value", "p_value_adjusted", "is_provisional",
];

function save(name, parts, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads the address after this; a minute later nobody needs it any more.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// A program for tables would run a text that starts like a formula.
function harmless(value) {
  return typeof value === "string" && /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
}

async function csvOf(kinds) {
  const rows = [];
  for (const period of kinds) {
    for (const record of await recordsOf(period)) {
      rows.push(Object.fromEntries(FIELDS.map((name) =>
        [name, name === "period" ? period : harmless(record[name] ?? "")])));
    }
  }
  return Charts.csvFormat(rows, FIELDS);
}

async function download(kind, name) {
  if (kind === "csv") {
    const embedded = periods().filter((period) => isEmbedded(`statistics_${period}`));
    save(`statistics_${overview.normalized_slug}.csv`, [await csvOf(embedded)], "text/csv");
  } else {
    save(name, [await bytesOf(kind)], "application/json");
  }
}

function connectDownloads() {
  for (const button of document.querySelectorAll("button[data-download]")) {
    const { download: kind, name } = button.dataset;
    button.addEventListener("click", () => download(kind, name).catch(tellProblem));
  }
}
