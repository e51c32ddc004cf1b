"""What an experiment declares before it is looked at must be about metrics that it has.

Belongs here: ``[experiment.multiple_comparisons]`` and ``[experiment.power]`` as values. Does not:
how they are written (`schema.experiment`), what is made of them (`analysis`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.config.wording import did_you_mean, one_of, shown
from jetstream_assets.experiments.hypotheses import SPEAKERS, MultipleComparisons, PowerGoal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jetstream_assets.config.effective import Settings
    from jetstream_assets.experiments.configuration import PeriodSummaries


def resolve_multiple_comparisons(
    settings: Settings, periods: tuple[PeriodSummaries, ...]
) -> MultipleComparisons | None:
    """The declared family, without repeats; None where none is declared.

    Raises:
        ConfigError: It names a metric that no period lists, or one without a p-value.
    """
    table = settings.value.multiple_comparisons
    if table is None:
        return None
    origin = settings.at("multiple_comparisons").below("metrics")
    statistics = statistics_of(periods)
    for name in table.metrics:
        if name not in statistics:
            problem = f"found {shown(name)}; no period of this experiment lists such a metric."
            hint = did_you_mean(name, statistics)
            raise origin.error(problem, hint or "List it in [metrics], or leave it out here.")
        if not statistics[name] & set(SPEAKERS):
            raise origin.error(
                f"found {shown(name)}; it has no statistic with a p-value ({one_of([*SPEAKERS])}).",
                "Add one of them, or leave the metric out here.",
            )
    return MultipleComparisons(tuple(dict.fromkeys(table.metrics)), table.method)


def resolve_power(settings: Settings) -> PowerGoal | None:
    """The effect to be found; None where nothing is declared."""
    table = settings.value.power
    return None if table is None else PowerGoal(table.effect, table.power)


def statistics_of(periods: Sequence[PeriodSummaries]) -> dict[str, set[str]]:
    """The statistics of every metric that one of these periods lists."""
    found: dict[str, set[str]] = {}
    for period in periods:
        for summary in period.summaries:
            found.setdefault(summary.metric, set()).add(summary.statistic)
    return found
