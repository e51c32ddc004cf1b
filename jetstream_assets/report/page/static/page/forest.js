// Intervals on one axis. Belongs here: the axis of a group of rows, a row's interval, its words.

const FOREST = { width: 200, height: 30, edge: 10 };
// An interval that is wider than this many of the group's middle one ends in an arrow.
const WIDEST = 5;

// One axis for all relative differences of a group, zero in the middle, margins inside.
function forestScale(effects) {
  const reaches = effects.map((effect) => effect.relative).filter(Boolean)
    .flatMap((record) => [record.lower, record.upper, record.point])
    .filter((value) => Number.isFinite(value)).map(Math.abs).sort((one, two) => one - two);
  const margins = effects.map((effect) => effect.metric.margin ?? 0);
  const middle = reaches[Math.floor(reaches.length / 2)] ?? 0;
  const reach = Math.max(Math.min(reaches.at(-1) ?? 0, middle * WIDEST), 1.25 * Math.max(0, ...margins));
  return Charts.scaleLinear([-(reach || 0.01), reach || 0.01], [FOREST.edge, FOREST.width - FOREST.edge]);
}

function forestAxis(scale) {
  const ticks = scale.ticks(4);
  const label = scale.tickFormat(4, "+.1~%");
  return draw("svg", { viewBox: `0 0 ${FOREST.width} 18`, width: FOREST.width, height: 18, "aria-hidden": "true" },
    ticks.map((tick) => draw("text", {
      x: scale(tick), y: 13, "text-anchor": "middle", "font-size": 11, "font-weight": 400, fill: "currentColor",
    }, tick === 0 ? "0" : label(tick))));
}

function gridLines(scale, height) {
  return scale.ticks(4).map((tick) => draw("line", {
    x1: scale(tick), x2: scale(tick), y1: 0, y2: height, stroke: "currentColor",
    "stroke-opacity": tick === 0 ? 0.75 : 0.14, "stroke-width": tick === 0 ? 1.25 : 1,
  }));
}

// Below zero where more is better, above it where less is.
function marginLine(scale, metric) {
  if (metric.margin === null || metric.margin === undefined) return null;
  const at = scale(metric.bigger_is_better ? -metric.margin : metric.margin);
  return draw("line", {
    class: "margin", x1: at, x2: at, y1: 0, y2: FOREST.height, stroke: "#c0392b", "stroke-width": 1.75,
    "stroke-dasharray": "4 3",
  });
}

function whisker(scale, record, colour) {
  const [from, to] = scale.range();
  const middle = FOREST.height / 2;
  const inside = (value, otherwise) => Number.isFinite(value)
    ? Math.min(Math.max(scale(value), from), to) : otherwise;
  const lower = inside(record.lower, from), upper = inside(record.upper, to);
  const arrow = (at, step) => draw("path", {
    d: `M${at + step * 7},${middle} l${-step * 7},-5 v10 z`, fill: colour,
  });
  const isCut = (value, beyond) => !Number.isFinite(value) || beyond(scale(value));
  return [
    draw("line", { x1: lower, x2: upper, y1: middle, y2: middle, stroke: colour, "stroke-width": 3 }),
    isCut(record.lower, (x) => x < from) ? arrow(from, -1) : null,
    isCut(record.upper, (x) => x > to) ? arrow(to, 1) : null,
    Number.isFinite(record.point) && scale(record.point) >= from && scale(record.point) <= to
      ? draw("circle", { cx: scale(record.point), cy: middle, r: 5.5, fill: colour }) : null,
  ];
}

// What an effect's interval is, and what else is known of it, as pairs of words.
function effectWords(effect) {
  const words = [];
  const tell = (name, record) => {
    if (!record) return;
    const { point, interval } = estimateText(record);
    words.push([name, `${point} ${interval}`.trim()]);
  };
  const covariate = effect.relative && effect.relative.covariate;
  const level = effect.relative ? `${numberText(effect.relative.ci_width * 100)} %` : "";
  tell(covariate ? `adjusted for ${covariate}, ${level}` : `relative difference, ${level}`, effect.relative);
  tell("not adjusted", effect.unadjusted);
  tell("always valid", effect.sequential);
  if (effect.metric.margin) words.push(["margin", percentText(effect.metric.margin)]);
  if (effect.daysNeeded) {
    const sought = percentText(Number(effect.daysNeeded.parameter));
    words.push([`more days of enrollment to find ${sought}`, numberText(effect.daysNeeded.point)]);
  }
  return words;
}

// Beside its picture in the window: a table that scrolls would cut it off.
function placeTip(tip, picture) {
  const { right, bottom } = picture.getBoundingClientRect();
  tip.style.right = `${Math.max(document.documentElement.clientWidth - right, 8)}px`;
  tip.style.top = `${bottom + 4}px`;
}

// The cell of a table with an interval, its words shown on hover and focus.
function forestCell(scale, effect, colour) {
  if (!effect.relative) return make("td", { class: "forest" });
  const words = effectWords(effect);
  const said = words.map((pair) => pair.join(": ")).join("; ");
  const picture = draw("svg", {
    viewBox: `0 0 ${FOREST.width} ${FOREST.height}`, width: FOREST.width, height: FOREST.height, role: "img", tabindex: 0,
    "aria-label": `${effect.metric.name}, ${effect.branch} against ${effect.reference}: ${said}`,
  }, gridLines(scale, FOREST.height), marginLine(scale, effect.metric), whisker(scale, effect.relative, colour));
  const tip = make("div", { class: "tip", "aria-hidden": "true" },
    make("dl", {}, words.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
  for (const event of ["pointerenter", "focus"]) picture.addEventListener(event, () => placeTip(tip, picture));
  const axis = make("div", { class: "own-axis", "aria-hidden": "true" }, forestAxis(scale));
  return make("td", { class: "forest" }, picture, axis, tip);
}
