// The page from its parts: what is drawn anew when a selection or the light changes.

function showWindow() {
  const window = chosenWindow();
  const reference = selected().reference;
  if (!window || !reference) return Promise.resolve();
  const notes = document.querySelectorAll("[data-not-embedded]");
  for (const note of notes) note.hidden = isEmbedded(`statistics_${window.period}`);
  return Promise.all([
    showMetrics(window, reference), showSegments(window, reference),
    showDistributions(window, reference), showSeries(reference),
  ]);
}

let drawing = Promise.resolve();

// One drawing after the other; `data-drawn` tells who waits that the page shows what is selected.
function show() {
  document.body.dataset.drawn = "no";
  drawing = drawing.then(async () => {
    showExposure();
    await showWindow();
    document.body.dataset.drawn = "yes";
  }).catch(tellProblem);
}

function tellProblem(error) {
  const problem = document.getElementById("problem");
  problem.hidden = false;
  problem.textContent = `A part of this page could not be drawn: ${error.message}`;
  console.error(error);
}

function connectTheme() {
  const button = document.getElementById("theme");
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
}

// Paper shows what is folded away on a screen.
function connectPrinting() {
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("section > details:not([open])")) {
      details.open = true;
      details.dataset.opened = "";
    }
  });
  window.addEventListener("afterprint", () => {
    for (const details of document.querySelectorAll("details[data-opened]")) details.open = false;
  });
}

async function start() {
  overview = await contentOf("overview");
  connectTheme();
  connectPrinting();
  connectDownloads();
  connectSelectors(show);
}

start().catch(tellProblem);
