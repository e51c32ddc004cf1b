"""How often 95 % intervals miss the truth, method by method, written into the documentation.

    python benchmarks/bench_calibration.py                      # 1,000 experiments a cell
    python benchmarks/bench_calibration.py --experiments 200    # a look, some minutes less

Some ten minutes of CPU time in two processes. The same command writes the same table.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from scipy import stats

# Threads of the linear algebra library cost more than they save here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from jetstream_assets_tests.statistics.calibration import (  # the line above comes first
    FIXED,
    METHODS,
    POPULATIONS,
    SEQUENTIAL,
    Claims,
    Design,
    Misses,
    peek,
    simulate,
    unequal_coverage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[1] / "docs" / "statistics-calibration.md"
UNITS = (200, 10_000)
SHARES = (0.5, 0.05)
DESCRIPTIONS = {
    "normal": "normal, correlated .64 with the value before",
    "spend": "zero-inflated log-normal: 70 % zeros, sigma 1.5, skewness 55",
    "rare": "0 or 1, 1 % ones",
}


@dataclass(frozen=True)
class Cell:
    """One population and design."""

    population: str
    units: int
    share: float
    experiments: int

    @property
    def design(self) -> Design:
        """Its units."""
        return Design.of(self.units, self.share)


@dataclass(frozen=True)
class Measured:
    """What was found in a cell, by method; peeking at the unadjusted and the adjusted mean."""

    cell: Cell
    same: dict[str, Misses]
    different: dict[str, Misses]
    peeks: tuple[Claims, Claims, Claims]


def measure(cell: Cell) -> Measured:
    """Simulate a cell."""
    population, design, n = POPULATIONS[cell.population], cell.design, cell.experiments
    peeks = (
        peek(population, design, n, FIXED),
        peek(population, design, n, SEQUENTIAL),
        peek(population, design, n, SEQUENTIAL, has_covariate=True),
    )
    different = simulate(population, design, n, has_effect=True)
    return Measured(cell, simulate(population, design, n), different, peeks)


def main() -> None:
    """Simulate all cells and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=1000)
    experiments = parser.parse_args().experiments
    started = time.perf_counter()
    cells = [Cell(p, u, s, experiments) for p in POPULATIONS for u in UNITS for s in SHARES]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        measured = list(pool.map(measure, cells))
    text = "\n".join(document(measured, experiments)) + "\n"
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"{DOCUMENT} written in {time.perf_counter() - started:.0f} seconds")


def document(measured: list[Measured], experiments: int) -> Iterator[str]:
    """The lines of the document."""
    low, high = _band(experiments)
    yield f"""# How often the intervals miss

Written by `python benchmarks/bench_calibration.py`; do not edit. {experiments:,} simulated
experiments a cell, 95 % intervals, which are to miss the truth in 5 %. A number in **bold** is
outside {100 * low:.1f} to {100 * high:.1f} %, where 99.9 % of the cells of an exact method lie.

- *nothing*: both branches have the same distribution, default parameters. Share of experiments in
  which the interval of the difference leaves out 0 (false positives).
- *without remark*: the same, counting only rows without a remark: what remains when the remarks of
  the engine are heeded. Only a number above the band is bold.
- *uplift*: share in which the interval of the relative uplift leaves out 0.
- *effect*: the new branch has an uplift of 20 % (of 50 % for rare values), nothing is capped. Share
  in which the interval of the difference misses the true difference.

`1:1` are two branches of the named size; `19:1` is a branch of 1.9 and one of .1 times that size.
The ratio is that of a unit's value to its value before enrollment. With covariate it is that of
the value to a number of visits, one to three at random, adjusted for the value before."""
    for name in POPULATIONS:
        yield f"\n## {DESCRIPTIONS[name][0].upper()}{DESCRIPTIONS[name][1:]}\n"
        yield "| units | split | statistic | nothing | without remark | uplift | effect |"
        yield "|---|---|---|---|---|---|---|"
        for found in measured:
            if found.cell.population == name:
                yield from _rows(found)
    yield from _peeking(measured)
    yield from _unequal(experiments)


def _band(experiments: int) -> tuple[float, float]:
    low, high = stats.binom(experiments, 0.05).ppf([0.0005, 0.9995]) / experiments
    return float(low), float(high)


def _rows(found: Measured) -> Iterator[str]:
    n = found.cell.experiments
    for method in METHODS:
        if method in found.same:
            same, different = found.same[method], found.different[method]
            numbers = (
                _percent(same.difference, n),
                _percent(same.plain_difference, n, is_low_fine=True),
                _percent(same.relative, n),
                _percent(different.difference, n),
            )
            yield f"| {_size(found.cell)} | {method} | {' | '.join(numbers)} |"


def _peeking(measured: list[Measured]) -> Iterator[str]:
    yield """
## Peeking

Nothing differs; the mean is looked at 20 times while units come in, evenly spread from 5 % to all
of them, without cap. Share of experiments in which any look claims a difference: with the interval
for one look (robust), and with the sequential one (10,000 planned units), also adjusted for the
covariate. In brackets only claims at looks without a remark count. A sequential interval may miss
less often than in 5 %: it holds for any number of looks.

| values | units | split | one look | sequential | sequential, adjusted |
|---|---|---|---|---|---|"""
    for found in measured:
        n = found.cell.experiments
        cells = [
            f"{_percent(claims.any_look, n, is_low_fine=True)} "
            f"({_percent(claims.plain, n, is_low_fine=True)})"
            for claims in found.peeks
        ]
        yield f"| {found.cell.population} | {_size(found.cell)} | {' | '.join(cells)} |"


def _unequal(experiments: int) -> Iterator[str]:
    covered = unequal_coverage(4 * experiments)
    yield f"""
## Unequal branches, unequal variances

`linear_model_mean` with 900 units of variance 1 and 100 units of variance 2, {4 * experiments:,}
experiments: the interval covers the true difference in {100 * covered[False]:.1f} % by default, and
in {100 * covered[True]:.1f} % with `robust = true`."""


def _size(cell: Cell) -> str:
    return f"{cell.units:,} | {'1:1' if cell.share == SHARES[0] else '19:1'}"


def _percent(count: int, of: int, *, is_low_fine: bool = False) -> str:
    low, high = _band(of)
    share = count / of
    is_in_band = share <= high and (is_low_fine or share >= low)
    return f"{100 * share:.1f}" if is_in_band else f"**{100 * share:.1f}**"


if __name__ == "__main__":
    main()
