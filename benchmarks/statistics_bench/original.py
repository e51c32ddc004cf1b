"""The original's side: mozanalysis, called as Jetstream calls it.

Belongs here: one frame per summary and segment, each observed branch as the reference in turn, and
its answers as rows. Does not: the load (`load`).

The unit rows are read once, with only the columns that are needed, and the covariates are joined
once for all summaries; Jetstream asks BigQuery for each summary and segment anew. The density and
the distribution function are not in mozanalysis: they are made of statsmodels, as in Jetstream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mozanalysis.bayesian_stats import bayesian_bootstrap, binary
from mozanalysis.frequentist_stats import bootstrap
from mozanalysis.frequentist_stats.linear_models import compare_branches_lm
from statsmodels.distributions.empirical_distribution import ECDF

from jetstream_assets.experiments.statistic_parameters import STATISTICS
from jetstream_assets.warehouse.parquet_slices import slice_file
from statistics_bench.load import BEFORE_SLICE, METRICS_SLICE, WEEK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from jetstream_assets.experiments.metrics import Summary

Row = dict[str, Any]
_DECILES = [round(tenth / 10, 1) for tenth in range(1, 10)]


def rows(
    root: Path,
    summaries: Sequence[Summary],
    segments: Sequence[str],
    references: int | None,
    memory_limit: str | None,
) -> list[Row]:
    """The rows of the summaries, for all units and each segment.

    ``references`` limits how many branches are taken as the reference; None is all of them.
    """
    units = _units(root, summaries, segments)
    del memory_limit
    found: dict[tuple[object, ...], Row] = {}
    for summary in summaries:
        for segment in (None, *segments):
            for row in _rows(summary, _frame(units, summary, segment), references):
                row |= {"metric": summary.metric, "segment": segment or "all"}
                # Those of single branches come again for each reference, and the last stay.
                found[tuple(row[key] for key in KEYS)] = row
    return list(found.values())


KEYS = (
    "segment",
    "metric",
    "statistic",
    "parameter",
    "branch",
    "comparison",
    "comparison_to_branch",
)


def _units(root: Path, summaries: Sequence[Summary], segments: Sequence[str]) -> pd.DataFrame:
    measured = sorted({name for summary in summaries for name in summary.measured})
    covariates = sorted({s.covariate.metric for s in summaries if s.covariate})
    keys = ["analysis_id", "branch"]
    needed = [*(keys if covariates else ["branch"]), *segments, *measured]
    units = pd.read_parquet(slice_file(root, METRICS_SLICE), columns=needed)
    if not covariates:
        return units
    before = pd.read_parquet(slice_file(root, BEFORE_SLICE), columns=[*keys, *covariates])
    before = before.rename(columns={name: f"{name}_pre" for name in covariates})
    return units.merge(before, on=keys, how="left").drop(columns="analysis_id")


def _frame(units: pd.DataFrame, summary: Summary, segment: str | None) -> pd.DataFrame:
    columns = ["branch", *summary.measured]
    if summary.covariate:
        columns.append(f"{summary.covariate.metric}_pre")
    frame = units[columns] if segment is None else units.loc[units[segment], columns]
    frame = frame.dropna(subset=list(summary.measured)).reset_index(drop=True)
    for pre_treatment in summary.pre_treatments:
        if pre_treatment.name != "normalize_over_analysis_period":
            raise ValueError(pre_treatment.name)
        frame[summary.metric] = frame[summary.metric] / WEEK.window.length
    return frame


def _rows(summary: Summary, frame: pd.DataFrame, references: int | None) -> Iterator[Row]:
    answer = _STATISTICS[summary.statistic]
    for reference in list(frame["branch"].unique())[:references]:
        yield from answer(summary, frame, reference)


def _drop_highest(summary: Summary) -> float:
    given = dict(summary.parameters)
    known = STATISTICS[summary.statistic].parameters
    found = given.get("drop_highest", next(p.default for p in known if p.name == "drop_highest"))
    return float(found or 0.0)


def _linear(summary: Summary, frame: pd.DataFrame, reference: str) -> Iterator[Row]:
    found = compare_branches_lm(
        frame,
        summary.metric,
        ref_branch_label=reference,
        covariate_col_label=f"{summary.covariate.metric}_pre" if summary.covariate else None,
        threshold_quantile=1 - _drop_highest(summary),
        alphas=[0.05],
        interactive=False,
    )
    yield from _laid_out("mean_lm", found, reference)


def _impact(summary: Summary, frame: pd.DataFrame, reference: str) -> Iterator[Row]:
    for row in _linear(summary, frame, reference):
        if row["comparison"] is None:
            continue
        by = len(frame) if row["comparison"] == "difference" else 1
        numbers = {name: row[name] * by for name in ("point", "lower", "upper")}
        yield row | numbers | {"statistic": "per_client_dau_impact"}


def _bootstrap_mean(summary: Summary, frame: pd.DataFrame, reference: str) -> Iterator[Row]:
    found = bayesian_bootstrap.compare_branches(
        frame,
        summary.metric,
        ref_branch_label=reference,
        threshold_quantile=1 - _drop_highest(summary),
    )
    yield from _laid_out("mean", found, reference)


def _binomial(summary: Summary, frame: pd.DataFrame, reference: str) -> Iterator[Row]:
    found = binary.compare_branches(frame, summary.metric, ref_branch_label=reference)
    yield from _laid_out("binomial", found, reference)


def _ratio_of_means(values: Any) -> Any:  # noqa: ANN401 - what the library passes
    return np.mean(values[:, 0]) / np.mean(values[:, 1])


def _population_ratio(summary: Summary, frame: pd.DataFrame, reference: str) -> Iterator[Row]:
    found = bootstrap.compare_branches(
        frame,
        list(summary.measured),
        ref_branch_label=reference,
        stat_fn=_ratio_of_means,
        threshold_quantile=1 - _drop_highest(summary),
    )
    yield from _laid_out("population_ratio", found, reference)


def _deciles(summary: Summary, frame: pd.DataFrame, reference: str) -> Iterator[Row]:
    found = bootstrap.compare_branches_quantiles(
        frame, summary.metric, ref_branch_label=reference, quantiles_of_interest=_DECILES
    )
    for decile in _DECILES:
        key = f"{decile:.1}"
        at = {
            "individual": {b: f.loc[key] for b, f in found["individual"].items()},
            "comparative": {b: f.loc[key] for b, f in found["comparative"].items()},
        }
        yield from _laid_out("deciles", at, reference, decile)


def _empirical_cdf(summary: Summary, frame: pd.DataFrame, reference: str) -> Iterator[Row]:
    del reference  # the same for each
    for branch, own in frame.groupby("branch")[summary.metric]:
        grid = np.linspace(own.min(), own.max(), num=256)
        for point, share in zip(grid, ECDF(own)(grid), strict=True):
            yield _row("empirical_cdf", str(branch), share, None, None, round(float(point), 6))


_STATISTICS: dict[str, Callable[[Summary, pd.DataFrame, str], Iterator[Row]]] = {
    "binomial": _binomial,
    "bootstrap_mean": _bootstrap_mean,
    "deciles": _deciles,
    "empirical_cdf": _empirical_cdf,
    "linear_model_mean": _linear,
    "per_client_dau_impact": _impact,
    "population_ratio": _population_ratio,
}


def _laid_out(
    statistic: str,
    found: Any,  # noqa: ANN401 - what the library answers
    reference: str,
    parameter: float | None = None,
) -> Iterator[Row]:
    for branch, single in found["individual"].items():
        point, lower, upper = (single[name] for name in ("mean", "0.025", "0.975"))
        yield _row(statistic, branch, point, lower, upper, parameter)
    for branch, pair in found["comparative"].items():
        for comparison, key in (("difference", "abs_uplift"), ("relative_uplift", "rel_uplift")):
            point, lower, upper = (pair[key, name] for name in ("exp", "0.025", "0.975"))
            row = _row(statistic, branch, point, lower, upper, parameter)
            yield row | {"comparison": comparison, "comparison_to_branch": reference}


def _row(
    statistic: str,
    branch: str,
    point: float,
    lower: float | None,
    upper: float | None,
    parameter: float | None = None,
) -> Row:
    return {
        "statistic": statistic,
        "parameter": parameter,
        "branch": branch,
        "comparison": None,
        "comparison_to_branch": None,
        "point": point,
        "lower": lower,
        "upper": upper,
    }
