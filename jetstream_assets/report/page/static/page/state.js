// What is selected, kept in the URL so that a link shows the same.

const LONGEST_FIRST = ["overall", "days28", "weekly", "daily"];

function windowKey(window) {
  return `${window.period}.${window.window_index}`;
}

// The window of the rule; without a rule, the newest of the longest period.
function defaultWindow() {
  const wanted = overview.verdict ? [overview.verdict.rule.period, ...LONGEST_FIRST] : LONGEST_FIRST;
  for (const period of wanted) {
    const found = overview.windows.filter((window) => window.period === period);
    if (found.length) return windowKey(found.at(-1));
  }
  return overview.windows.length ? windowKey(overview.windows[0]) : null;
}

function choices() {
  const rule = overview.verdict && overview.verdict.rule;
  const bases = overview.analysis_bases;
  return {
    basis: {
      allowed: bases,
      chosen: rule && bases.includes(rule.analysis_basis) ? rule.analysis_basis : bases[0],
    },
    reference: {
      allowed: overview.branches.map((branch) => branch.slug),
      chosen: overview.reference_branch ?? overview.branches[0]?.slug,
    },
    segment: { allowed: overview.segments.map((segment) => segment.name), chosen: "all" },
    window: { allowed: overview.windows.map(windowKey), chosen: defaultWindow() },
  };
}

// From the URL; what is not known there is as if it were not said.
function selected() {
  const asked = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(Object.entries(choices()).map(([name, { allowed, chosen }]) =>
    [name, allowed.includes(asked.get(name)) ? asked.get(name) : chosen]));
}

function select(name, value) {
  const asked = new URLSearchParams(location.hash.slice(1));
  asked.set(name, value);
  location.replace(`#${asked}`);
}

function chosenWindow() {
  return overview.windows.find((window) => windowKey(window) === selected().window);
}

// As the selector names it.
function optionOf(window) {
  const options = document.querySelector("select[data-selects=window]").options;
  return [...options].find((option) => option.value === windowKey(window));
}

function windowName(window) {
  return optionOf(window).textContent;
}

// In the order of the selector, the periods that have results.
function periods() {
  return [...new Set(overview.windows.map((window) => window.period))];
}

// The selectors follow the URL, whoever changes it.
function connectSelectors(changed) {
  const selectors = [...document.querySelectorAll("select[data-selects]")];
  const follow = () => {
    for (const selector of selectors) selector.value = selected()[selector.dataset.selects];
    changed();
  };
  for (const selector of selectors) {
    selector.addEventListener("change", () => select(selector.dataset.selects, selector.value));
  }
  window.addEventListener("hashchange", follow);
  follow();
}
