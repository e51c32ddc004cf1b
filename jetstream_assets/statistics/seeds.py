"""Random numbers are the same in every run and process: their seed is what they are drawn for.

Belongs here: the generator. Does not: what is drawn (`dirichlet_draws`, `ratio_distribution`).
"""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: str) -> np.random.Generator:
    """A generator of random numbers that depend on the text alone."""
    # The built-in hash differs from process to process.
    digest = hashlib.sha256(seed.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
