"""Among many true hypotheses some p-value is small by chance: what that costs, method by method.

Belongs here: adjusting a family of p-values. Does not: which p-values are a family
(`analysis.multiple_comparisons`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jetstream_assets.experiments.hypotheses import Correction

if TYPE_CHECKING:
    from collections.abc import Sequence


def adjusted(p_values: Sequence[float], method: Correction) -> list[float]:
    """The adjusted p-values, in the same order; each at least the p-value itself, at most 1.

    With m hypotheses and p(1) <= ... <= p(m):

    - Holm (1979, A simple sequentially rejective multiple test procedure): the largest of
      (m - j + 1) p(j) over j <= i. Whatever the dependence, at level alpha a true hypothesis is
      rejected with probability at most alpha.
    - Benjamini and Hochberg (1995, Controlling the false discovery rate): the smallest of
      m p(j) / j over j >= i. Of what is rejected, an expected share of at most alpha is true, for
      independent or positively dependent p-values.
    """
    if not p_values:
        return []
    order = np.argsort(p_values, kind="stable")
    ascending = np.asarray(p_values, dtype=np.float64)[order]
    ranks = np.arange(1, ascending.size + 1)
    if method is Correction.HOLM:
        raised = np.maximum.accumulate((ascending.size - ranks + 1) * ascending)
    else:
        raised = np.minimum.accumulate((ascending.size / ranks * ascending)[::-1])[::-1]
    found = np.empty_like(ascending)
    found[order] = np.minimum(raised, 1.0)
    return [float(value) for value in found]
