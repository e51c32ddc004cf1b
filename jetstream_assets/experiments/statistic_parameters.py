"""Every statistic and pre-treatment has a closed list of parameters, with defaults and bounds.

Belongs here: the table, which the configuration checks against and the statistics compute by.
Does not: how they are computed (`statistics`), how they are written (`config`).
"""

from __future__ import annotations

from dataclasses import dataclass

from jetstream_assets.experiments.metrics import Scalar


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Args:
        name: Its key in configuration files.
        kind: The type of its values; a float parameter also takes integers.
        default: The value when it is not given; ignored when ``is_required``.
        is_required: Whether it must be given.
        minimum: Smallest value, or None.
        maximum: Largest value, or None.
        excludes_bounds: Whether minimum and maximum themselves are not allowed.
        choices: The only values allowed; empty when any value within the bounds is.
    """

    name: str
    kind: type[str | int | float | bool]
    default: Scalar = None
    is_required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    excludes_bounds: bool = False
    choices: tuple[str | float, ...] = ()


@dataclass(frozen=True)
class StatisticParameters:
    """The parameters of one statistic, and whether it can be adjusted for a covariate."""

    parameters: tuple[Parameter, ...] = ()
    takes_covariate: bool = False


_CONFIDENCE = Parameter(
    "confidence_interval", float, 0.95, minimum=0.0, maximum=1.0, excludes_bounds=True
)
_SAMPLES = Parameter("num_samples", int, 10_000, minimum=1, maximum=1_000_000)
_LOG_SPACE = Parameter("log_space", bool, default=False)
_GRID_SIZE = Parameter("grid_size", int, 256, minimum=2, maximum=65_536)
_ROBUST = Parameter("robust", bool, default=False)
# Intervals that hold however often one looks, and at how many units they are to be narrowest. A
# number that is too large costs more width than one that is too small.
_SEQUENTIAL = (
    Parameter("planned_units", int, 10_000, minimum=2, maximum=1_000_000_000),
    Parameter("sequential", bool, default=False),
)


def _drop_highest(default: float) -> Parameter:
    # Capping at a quantile below the median would replace most of the data by one value.
    return Parameter("drop_highest", float, default, minimum=0.0, maximum=0.5)


STATISTICS: dict[str, StatisticParameters] = {
    "binomial": StatisticParameters((_CONFIDENCE, *_SEQUENTIAL)),
    "bootstrap_mean": StatisticParameters(
        (_CONFIDENCE, _drop_highest(0.005), _SAMPLES, *_SEQUENTIAL)
    ),
    "count": StatisticParameters(),
    "deciles": StatisticParameters((_CONFIDENCE, _SAMPLES)),
    "empirical_cdf": StatisticParameters((_GRID_SIZE, _LOG_SPACE)),
    "kernel_density_estimate": StatisticParameters(
        (
            Parameter("adjust", float, 1.0, choices=(1.0,)),
            Parameter("bandwidth", str, "scott", choices=("scott",)),
            _GRID_SIZE,
            Parameter("kernel", str, "gaussian", choices=("gaussian",)),
            _LOG_SPACE,
        )
    ),
    "linear_model_mean": StatisticParameters(
        (_CONFIDENCE, _drop_highest(0.005), _ROBUST, *_SEQUENTIAL), takes_covariate=True
    ),
    "per_client_dau_impact": StatisticParameters(
        (_CONFIDENCE, _drop_highest(0.0), _ROBUST, *_SEQUENTIAL), takes_covariate=True
    ),
    "population_ratio": StatisticParameters(
        (
            _CONFIDENCE,
            Parameter("denominator", str, is_required=True),
            _drop_highest(0.005),
            Parameter("interval", str, "bootstrap", choices=("bootstrap", "delta")),
            _SAMPLES,
            Parameter("numerator", str, is_required=True),
        ),
        takes_covariate=True,
    ),
    "sum": StatisticParameters(),
}

PRE_TREATMENTS: dict[str, tuple[Parameter, ...]] = {
    "censor_highest_values": (Parameter("fraction", float, 0.99999, minimum=0.0, maximum=1.0),),
    "censor_lowest_values": (Parameter("fraction", float, 0.00001, minimum=0.0, maximum=1.0),),
    "censor_values_above_threshold": (Parameter("threshold", float, is_required=True),),
    "censor_values_below_threshold": (Parameter("threshold", float, is_required=True),),
    # Base 0 means the natural logarithm.
    "log": (Parameter("base", float, 10.0, minimum=0.0),),
    "normalize_over_analysis_period": (),
    "remove_indefinites": (),
    "remove_nulls": (),
    "zero_fill": (),
}
