// A colour for each branch, told apart also by those who do not see all colours (Okabe and Ito).

const INKS = {
  light: ["#0072b2", "#d55e00", "#009e73", "#aa4499", "#b27300", "#4b93c9", "#7a6f00"],
  dark: ["#56b4e9", "#ff8f4a", "#2fcf9f", "#e08ec1", "#e69f00", "#9fd3f5", "#f0e442"],
};

function isDark() {
  const asked = document.documentElement.dataset.theme;
  return asked ? asked === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

// The experiment's reference branch has no colour; the others keep theirs whatever is selected.
function colourOf(slug) {
  const others = overview.branches.filter((branch) => !branch.is_reference);
  const index = others.findIndex((branch) => branch.slug === slug);
  if (index < 0) return "currentColor";
  const inks = INKS[isDark() ? "dark" : "light"];
  return inks[index % inks.length];
}

function branchLabel(slug) {
  const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.background = colourOf(slug);
  return make("span", { class: "branch" }, swatch, slug);
}

function legend(entries) {
  return make("ul", { class: "legend" }, entries.map(({ name, colour, dash, band }) => {
    const mark = band
      ? draw("rect", { width: 26, height: 11, fill: colour, "fill-opacity": band })
      : draw("line", { x1: 0, x2: 26, y1: 6, y2: 6, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash });
    return make("li", {}, draw("svg", { viewBox: "0 0 26 11", "aria-hidden": "true" }, mark), name);
  }));
}

function branchLegend(slugs) {
  return legend(slugs.map((slug) => ({ name: slug, colour: colourOf(slug) })));
}
