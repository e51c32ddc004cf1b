"""Every random number comes from a stream that is named after what is drawn.

Belongs here: how a name becomes a generator. Does not: what is drawn (`units`, `behaviour`,
`events`). Streams of different names are independent, so a new experiment, table or day changes
none of the numbers drawn before it was added.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """The generator of one named stream.

    Args:
        seed: The world's seed, >= 0.
        names: What is drawn, from the general to the particular: purpose, experiment, block, day.
    """
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    key = tuple(int(word) for word in np.frombuffer(digest, dtype="<u4"))
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def flips(
    draw: np.random.Generator, size: int, chance: float | npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """One throw of a loaded coin per row: TRUE with the given chance."""
    thrown: npt.NDArray[np.bool_] = draw.random(size) < chance
    return thrown
