// Bundles the charting library for the results page: `npm install && npm run build`.
//
// Writes ../static/charts.js, a script that defines `Charts`, and ../static/charts.LICENSES.txt with
// the licenses of everything in it. Both are committed, so that neither installing nor running the
// project needs Node.js.
import { readFileSync, readdirSync, existsSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const own = JSON.parse(readFileSync("package.json", "utf8"));
const version = own.devDependencies["@observablehq/plot"];
const bundled = await build({
  entryPoints: ["entry.js"],
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "Charts",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  metafile: true,
  banner: {
    js: `/* @observablehq/plot ${version} and d3; see charts.LICENSES.txt. Made by charts/build.mjs. */`,
  },
  outfile: "../static/charts.js",
});

const names = new Set(
  Object.keys(bundled.metafile.inputs)
    .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter(Boolean),
);
const licenses = [...names].sort().map((name) => {
  const folder = `node_modules/${name}`;
  const { version: found, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : license;
  return `${name} ${found} (${license})\n\n${text}\n`;
});
if (!existsSync("../static") || !licenses.length) throw new Error("nothing was bundled");
writeFileSync("../static/charts.LICENSES.txt", licenses.join(`\n${"-".repeat(80)}\n\n`));
