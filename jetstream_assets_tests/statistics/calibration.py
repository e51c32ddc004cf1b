"""Simulated experiments with a known truth: how often do intervals miss it?

Used by the slow tests and by the benchmark that writes the table for the documentation.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jetstream_assets.experiments.metrics import (
    AnalysisBasis,
    CovariateAdjustment,
    Scalar,
    Summary,
)
from jetstream_assets.experiments.windows import Period
from jetstream_assets.statistics.base import Question
from jetstream_assets.statistics.linear_model import Arm, fit
from jetstream_assets.statistics.reach import Fixed, Reach, Sequential
from jetstream_assets.statistics.registry import REGISTRY
from jetstream_assets.statistics.shape import Shape, remark_of_few, remark_of_pair
from jetstream_assets_tests.statistics.arrays import ask, collected, pick
from jetstream_assets_tests.statistics.test_population_ratio import ask as ask_ratio

if TYPE_CHECKING:
    from jetstream_assets.experiments.needs import Need
    from jetstream_assets.statistics.base import StatisticRow

Floats = NDArray[np.float64]
# Values in the window and before enrollment, of so many units.
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]

LEVEL = 0.95
LOOKS = 20
_BEFORE = CovariateAdjustment("spend", Period.PREENROLLMENT_WEEK)


@dataclass(frozen=True)
class Population:
    """A distribution of values.

    ``treated`` draws the new branch where there is an effect, ``difference`` is that of the means
    then. ``decile`` is the decile that is looked at (None where all are the same value) and
    ``decile_difference`` its true difference.
    """

    name: str
    draw: Draw
    treated: Draw
    difference: float
    decile: float | None = None
    decile_difference: float = 0.0

    def ratio_difference(self) -> float:
        """The true difference of the ratios of the means of both values."""
        return self.difference / self.mean_before

    @property
    def mean_before(self) -> float:
        """The true mean of the values before enrollment."""
        return _MEANS_BEFORE[self.name]


def _normal(rng: np.random.Generator, units: int) -> tuple[Floats, Floats]:
    common = rng.normal(0, 1, units)
    after = 10 + 3 * (0.8 * common + 0.6 * rng.normal(0, 1, units))
    return after, 10 + 3 * (0.8 * common + 0.6 * rng.normal(0, 1, units))


def _spend(rng: np.random.Generator, units: int) -> tuple[Floats, Floats]:
    """70 % zeros, else log-normal with sigma 1.5; the same units tend to spend before."""
    common = rng.normal(0, 1, units)

    def once() -> Floats:
        value = np.exp(1.5 * (0.8 * common + 0.6 * rng.normal(0, 1, units)))
        return value * (rng.random(units) < 0.3)

    return once(), once()


def _rare(share: float) -> Draw:
    def draw(rng: np.random.Generator, units: int) -> tuple[Floats, Floats]:
        before = (rng.random(units) < 0.05).astype(np.float64)
        # Who converted before is 5 times as likely to do so again.
        chance = share * np.where(before > 0, 5 / 1.2, 1 / 1.2)
        return (rng.random(units) < chance).astype(np.float64), before

    return draw


def _times(draw: Draw, factor: float) -> Draw:
    def scaled(rng: np.random.Generator, units: int) -> tuple[Floats, Floats]:
        after, before = draw(rng, units)
        return factor * after, before

    return scaled


# A 90 % quantile of spend is the 2/3 quantile of its log-normal part.
_SPEND_DECILE = float(np.exp(1.5 * 0.4307272993))
_MEANS_BEFORE = {"normal": 10.0, "spend": 0.3 * float(np.exp(1.125)), "rare": 0.05}
POPULATIONS = {
    "normal": Population("normal", _normal, _times(_normal, 1.2), 2.0, 0.5, 2.0),
    "spend": Population(
        "spend",
        _spend,
        _times(_spend, 1.2),
        0.2 * 0.3 * float(np.exp(1.125)),
        0.9,
        0.2 * _SPEND_DECILE,
    ),
    "rare": Population("rare", _rare(0.01), _rare(0.015), 0.005),
}


@dataclass(frozen=True, eq=False)
class Method:
    """A statistic with its parameters, and the name that its rows have."""

    name: str
    statistic: str
    output: str
    parameters: dict[str, Scalar] = field(default_factory=dict)
    has_covariate: bool = False

    def suits(self, population: Population) -> bool:
        """Whether the statistic can be asked of the values."""
        if self.statistic == "binomial":
            return population.name == "rare"
        return self.statistic != "deciles" or population.decile is not None

    def question(self, **more: Scalar) -> Question:
        """What is asked; a ratio is that of the values in the window to those before."""
        parameters = tuple(sorted({**self.parameters, **more}.items()))
        covariate = _BEFORE if self.has_covariate else None
        summary = Summary("spend", self.statistic, parameters, covariate=covariate)
        return Question(summary, AnalysisBasis.ENROLLMENTS, "all", ("control", "new"))

    def ratio_rows(
        self, after: dict[str, Floats], before: dict[str, Floats], **more: Scalar
    ) -> list[StatisticRow]:
        """The rows of a ratio of the values in the window to those before.

        With covariate those before explain the values per visit, of one to three visits a unit.
        """
        parameters = {**self.parameters, **more}
        if not self.has_covariate:
            return ask_ratio({b: (after[b], before[b]) for b in after}, given=parameters)
        per_visit = {b: (own, _visits(before[b])) for b, own in after.items()}
        earlier = {b: (own,) for b, own in before.items()}
        return ask_ratio(per_visit, earlier, _BEFORE, parameters)

    def true_difference(self, population: Population) -> float:
        """The truth where there is an effect."""
        if self.statistic == "deciles":
            return population.decile_difference
        if self.statistic == "population_ratio":
            return (
                population.difference / 2 if self.has_covariate else population.ratio_difference()
            )
        return population.difference


def _visits(before: Floats) -> Floats:
    """One, two or three visits of each unit, at random, whatever its values are."""
    rng = np.random.default_rng(zlib.crc32(before.tobytes()))
    return rng.integers(1, 4, before.size).astype(np.float64)


# Fewer draws than by default where units are few: 1,000 move a bound by 4 % of its distance.
_DRAWS: dict[str, Scalar] = {"num_samples": 1000}
_DELTA: dict[str, Scalar] = {"interval": "delta"}
METHODS = {
    method.name: method
    for method in (
        Method("bootstrap_mean", "bootstrap_mean", "mean", _DRAWS),
        Method("linear_model_mean", "linear_model_mean", "mean_lm"),
        Method("linear_model_mean, robust", "linear_model_mean", "mean_lm", {"robust": True}),
        Method("linear_model_mean, covariate", "linear_model_mean", "mean_lm", has_covariate=True),
        Method(
            "linear_model_mean, covariate, robust",
            "linear_model_mean",
            "mean_lm",
            {"robust": True},
            has_covariate=True,
        ),
        Method("binomial", "binomial", "binomial"),
        Method("deciles", "deciles", "deciles"),
        Method("population_ratio", "population_ratio", "population_ratio", _DRAWS),
        Method("population_ratio, delta", "population_ratio", "population_ratio", _DELTA),
        Method(
            "population_ratio, delta, covariate",
            "population_ratio",
            "population_ratio",
            _DELTA,
            has_covariate=True,
        ),
    )
}


@dataclass(frozen=True)
class Design:
    """Units of the control and of the new branch."""

    control: int
    new: int

    @classmethod
    def of(cls, units: int, share: float) -> Design:
        """``units`` on average a branch, this share of all in the new one."""
        new = round(2 * units * share)
        return cls(2 * units - new, new)


@dataclass
class Misses:
    """Of so many experiments, in how many the interval misses the truth.

    ``plain`` counts the experiments whose difference has no remark, ``plain_difference`` those of
    them that miss; ``relative`` misses of the relative uplift, where the truth is 0. A row without
    interval claims nothing, so it does not miss.
    """

    experiments: int = 0
    difference: int = 0
    relative: int = 0
    plain: int = 0
    plain_difference: int = 0

    def add(self, difference: StatisticRow, relative: StatisticRow, true: float) -> None:
        """Count one experiment."""
        is_missed = _misses(difference.lower, difference.upper, true)
        self.experiments += 1
        self.difference += is_missed
        self.relative += _misses(relative.lower, relative.upper, 0.0)
        self.plain += difference.reason is None
        self.plain_difference += difference.reason is None and is_missed


def simulate(
    population: Population,
    design: Design,
    experiments: int,
    *,
    has_effect: bool = False,
    methods: Iterable[Method] = METHODS.values(),
) -> dict[str, Misses]:
    """How often the intervals of each method miss, all on the same data.

    With an effect nothing is capped, so that the truth is that of the population.
    """
    rng = _generator(population.name, design, has_effect)
    treated = population.treated if has_effect else population.draw
    suited = [method for method in methods if method.suits(population)]
    found = {method.name: Misses() for method in suited}
    more: dict[str, Scalar] = {"drop_highest": 0.0} if has_effect else {}
    questions = {method: method.question(**more) for method in suited}
    needs = _needs(questions)
    for _ in range(experiments):
        pairs = {"control": population.draw(rng, design.control), "new": treated(rng, design.new)}
        after, before = ({b: pair[i] for b, pair in pairs.items()} for i in (0, 1))
        sums = collected(needs, after, before)
        for method, question in questions.items():
            if method.statistic == "population_ratio":
                rows = method.ratio_rows(after, before, **more)
            else:
                rows = REGISTRY[method.statistic].rows(question, sums)
            decile = population.decile if method.statistic == "deciles" else None
            difference, relative = (
                pick(rows, "new", "control", comparison, method.output, decile)
                for comparison in ("difference", "relative_uplift")
            )
            true = method.true_difference(population) if has_effect else 0.0
            found[method.name].add(difference, relative, true)
    return found


def _needs(questions: Mapping[Method, Question]) -> list[Need]:
    """What all methods but the ratio need, each once."""
    return list(
        dict.fromkeys(
            need
            for method, question in questions.items()
            if method.statistic != "population_ratio"
            for need in REGISTRY[method.statistic].needs(question)
        )
    )


def _misses(lower: float | None, upper: float | None, true: float) -> bool:
    return lower is not None and upper is not None and not lower <= true <= upper


@dataclass
class Claims:
    """Of so many experiments without effect, in how many any of the looks claims one.

    ``plain`` counts claims at looks without a remark only.
    """

    experiments: int = 0
    any_look: int = 0
    plain: int = 0


def peek(
    population: Population,
    design: Design,
    experiments: int,
    reach: Reach,
    *,
    has_covariate: bool = False,
) -> Claims:
    """Look at the mean `LOOKS` times while units come in, evenly spread up to all of them."""
    rng = _generator(type(reach).__name__, population.name, design, has_covariate)
    shares = np.arange(1, LOOKS + 1) / LOOKS
    looks = [(max(int(design.control * s), 2), max(int(design.new * s), 2)) for s in shares]
    found = Claims()
    for _ in range(experiments):
        pairs = population.draw(rng, design.control), population.draw(rng, design.new)
        seen = [_look(pairs, look, reach, has_covariate=has_covariate) for look in looks]
        found.experiments += 1
        found.any_look += any(claims for claims, _ in seen)
        found.plain += any(claims and is_plain for claims, is_plain in seen)
    return found


def _look(
    pairs: tuple[tuple[Floats, Floats], tuple[Floats, Floats]],
    units: tuple[int, int],
    reach: Reach,
    *,
    has_covariate: bool,
) -> tuple[bool, bool]:
    """Whether an effect is claimed, and whether nothing is said against that."""
    control, new = (
        _arm(pair, seen, has_covariate=has_covariate)
        for pair, seen in zip(pairs, units, strict=True)
    )
    model = fit({"control": control, "new": new}, has_covariate=has_covariate, is_robust=True)
    found = model.difference("new", "control", reach)
    if not _misses(found.lower, found.upper, 0.0):
        return False, True
    shapes = [_shape(pair[0][:seen]) for pair, seen in zip(pairs, units, strict=True)]
    few = remark_of_few(min(units), reach.fewest_units)
    return True, not (few or remark_of_pair(*shapes))


def _shape(values: Floats) -> Shape:
    d = values - values.mean()
    return Shape(values.size, float((d**2).mean()), float((d**3).mean()))


def _arm(pair: tuple[Floats, Floats], units: int, *, has_covariate: bool) -> Arm:
    y, x = pair[0][:units], pair[1][:units]
    dy, dx = y - y.mean(), x - x.mean()
    if not has_covariate:
        return Arm(units, float(y.mean()), float(dy @ dy))
    sums = (float(x.mean()), float(dx @ dx), float(dx @ dy))
    return Arm(units, float(y.mean()), float(dy @ dy), *sums)


def unequal_coverage(experiments: int) -> dict[bool, float]:
    """Coverage with and without robust errors: 10 % of 1,000 units have twice the variance."""
    rng = _generator("unequal")
    covered = {False: 0, True: 0}
    for _ in range(experiments):
        values = {"control": rng.normal(0, 1, 900), "new": rng.normal(0, 2**0.5, 100)}
        for robust in covered:
            rows = ask("linear_model_mean", values, drop_highest=0.0, robust=robust)
            row = pick(rows, "new", "control")
            covered[robust] += not _misses(row.lower, row.upper, 0.0)
    return {robust: count / experiments for robust, count in covered.items()}


def _generator(*parts: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


FIXED = Fixed(LEVEL)
SEQUENTIAL = Sequential(LEVEL, 10_000)
