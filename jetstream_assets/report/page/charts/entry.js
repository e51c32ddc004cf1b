// What the results page takes of the charting library, and nothing else: bundled by `build.mjs`.
export { areaY, dot, line, lineY, plot, ruleY } from "@observablehq/plot";
export { csvFormat, scaleLinear } from "d3";
