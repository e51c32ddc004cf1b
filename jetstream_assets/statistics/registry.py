"""Every statistic by its name in configuration files: an explicit table, and nothing is looked up.

Belongs here: the table. Adding a statistic is one module, one line here, one in
`experiments.statistic_parameters` and one test module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jetstream_assets.statistics.binomial import Binomial
from jetstream_assets.statistics.bootstrap_mean import BootstrapMean
from jetstream_assets.statistics.deciles import Deciles
from jetstream_assets.statistics.empirical_cdf import EmpiricalCdf
from jetstream_assets.statistics.kernel_density import KernelDensity
from jetstream_assets.statistics.mean_lm import LINEAR_MODEL_MEAN, PER_CLIENT_DAU_IMPACT
from jetstream_assets.statistics.population_ratio import PopulationRatio
from jetstream_assets.statistics.totals import Count, Sum

if TYPE_CHECKING:
    from jetstream_assets.statistics.base import Statistic

REGISTRY: dict[str, Statistic] = {
    "binomial": Binomial(),
    "bootstrap_mean": BootstrapMean(),
    "count": Count(),
    "deciles": Deciles(),
    "empirical_cdf": EmpiricalCdf(),
    "kernel_density_estimate": KernelDensity(),
    "linear_model_mean": LINEAR_MODEL_MEAN,
    "per_client_dau_impact": PER_CLIENT_DAU_IMPACT,
    "population_ratio": PopulationRatio(),
    "sum": Sum(),
}
