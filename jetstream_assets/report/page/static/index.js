// The page of all experiments: sorting and finding.

function sortBy(column, heading) {
  const isRising = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", isRising ? "ascending" : "descending");
  const body = document.querySelector("#experiments tbody");
  const text = (row) => row.cells[column].textContent.trim();
  const rows = [...body.rows].sort((one, two) =>
    text(one).localeCompare(text(two), "en", { numeric: true }) * (isRising ? 1 : -1));
  body.append(...rows);
}

function find(words) {
  const rows = [...document.querySelectorAll("#experiments tbody tr")];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  document.getElementById("found").textContent = `${shown} of ${rows.length}`;
}

document.querySelectorAll("#experiments thead th").forEach((heading, column) =>
  heading.querySelector("button").addEventListener("click", () => sortBy(column, heading)));
const entry = document.getElementById("find");
entry.addEventListener("input", () => find(entry.value.toLowerCase().split(/\s+/).filter(Boolean)));
find([]);
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const asked = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = asked === "dark" ? "light" : "dark";
});
