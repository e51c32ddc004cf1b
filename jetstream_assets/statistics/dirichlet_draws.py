"""With few units the posterior of a mean has no simple shape: it is drawn, with a fixed seed.

Belongs here: draws of the Bayesian bootstrap and of a posterior known by cumulants. Does not: what
is made of them (`bootstrap_mean`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.statistics.seeds import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jetstream_assets.statistics.cumulants import Cumulants
    from jetstream_assets.statistics.distribution import Distribution


def mean_draws(values: Distribution, cap: float, samples: int, seed: str) -> NDArray[np.float64]:
    """Means of the capped values under flat Dirichlet weights on the units.

    Units of one value share the sum of their weights, a gamma variable of that shape.
    """
    shape = (samples, values.units.size)
    weights = generator(seed).standard_gamma(values.units.astype(np.float64), size=shape)
    capped = np.minimum(values.values, cap)
    means: NDArray[np.float64] = weights @ capped / weights.sum(axis=1)
    return means


def posterior_draws(posterior: Cumulants, samples: int, seed: str) -> NDArray[np.float64]:
    """Draws from a posterior: its quantiles at evenly spread shares, in random order."""
    shares = (np.arange(samples) + 0.5) / samples
    return posterior.quantiles(generator(seed).permutation(shares))
