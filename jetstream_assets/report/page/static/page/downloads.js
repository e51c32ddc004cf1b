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
  URL.revokeObjectURL(link.href);
}

// A program for tables would run a text that starts like a formula.
function harmless(value) {
  return typeof value === "string" && /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
}

async function csvOf(periods) {
  const rows = [];
  for (const period of periods) {
    for (const record of await recordsOf(period)) {
      rows.push(Object.fromEntries(FIELDS.map((name) =>
        [name, name === "period" ? period : harmless(record[name] ?? "")])));
    }
  }
  return Charts.csvFormat(rows, FIELDS);
}

function connectDownloads() {
  for (const button of document.querySelectorAll("button[data-download]")) {
    button.addEventListener("click", async () => {
      const kind = button.dataset.download;
      if (kind === "csv") {
        const periods = periods().filter((period) => isEmbedded(`statistics_${period}`));
        save(`statistics_${overview.normalized_slug}.csv`, [await csvOf(periods)], "text/csv");
      } else {
        save(button.dataset.name, [await bytesOf(kind)], "application/json");
      }
    });
  }
}
