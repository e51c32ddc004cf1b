"""Units differ far more from one another than a treatment changes them.

Belongs here: who the units of an experiment are: what their rows say about them, how active they
are, when they enroll and leave. Does not: what they do on a day (`behaviour`).

Units are drawn in blocks, so that a large experiment is never in memory as a whole. Days are
counted from 1970-01-01, as numpy and Parquet do.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jetstream_assets.simulation.streams import flips, stream
from jetstream_assets.simulation.world import SimulatedBranch, SimulatedExperiment, World

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

UNITS_PER_BLOCK = 50_000
NEVER = 10**6  # a day that no telemetry reaches

_COUNTRIES = ("US", "DE", "FR", "GB", "IN", "BR", "PL", "CA", "JP", "ID")
_COUNTRY_SHARES = (0.26, 0.16, 0.10, 0.08, 0.11, 0.08, 0.07, 0.05, 0.05, 0.04)
_LOCALES = ("en-US", "de", "fr", "en-GB", "en-US", "pt-BR", "pl", "en-CA", "ja", "id")
_SYSTEMS = ("Windows_NT", "Darwin", "Linux")
_SYSTEM_SHARES = (0.82, 0.11, 0.07)
_SYSTEM_VERSIONS = ("10.0", "24.3", "6.8")
_CHANNELS = ("release", "esr", "beta")
_CHANNEL_SHARES = (0.88, 0.08, 0.04)
_ENGINES = ("google", "bing", "ddg")
_ENGINE_SHARES = (0.8, 0.12, 0.08)


@dataclass(frozen=True)
class Profiles:
    """What the rows of a unit say about it; one entry per unit."""

    client_id: pa.StringArray
    profile_group_id: pa.StringArray
    sample_id: pa.Int64Array
    country: pa.StringArray
    locale: pa.StringArray
    os: pa.StringArray
    os_version: pa.StringArray
    normalized_channel: pa.StringArray
    engine: pa.StringArray


@dataclass(frozen=True)
class Traits:
    """How active a unit is by nature, before any treatment; one entry per unit.

    Hours, pages (of an hour) and searches are means per active day.
    """

    active_chance: Floats
    hours: Floats
    pages: Floats
    searches: Floats
    clicks_per_ad: Floats
    is_default: Flags


@dataclass(frozen=True)
class Participation:
    """Which branch a unit is in, and its days; one entry per unit.

    ``second_branch`` is -1 for units in one branch. A unit has telemetry from ``first_day`` until
    ``last_day``; it enrolls on its first active day of the experiment.
    """

    branch: Integers
    second_branch: Integers
    enrollment_day: Integers
    second_day: Integers
    unenrollment_day: Integers
    first_day: Integers
    last_day: Integers
    meets_feature: Flags


@dataclass(frozen=True)
class Cohort:
    """A block of the units of one experiment. Days are inclusive."""

    experiment: SimulatedExperiment
    block: int
    start_day: int
    bounds: tuple[int, int]
    profiles: Profiles
    traits: Traits
    participation: Participation

    @property
    def size(self) -> int:
        """Number of units."""
        return len(self.traits.hours)

    @property
    def branch_slugs(self) -> list[str]:
        """The slugs of the branches, by the number that `Participation` gives them."""
        return [branch.slug for branch in self.experiment.branches]


def blocks(experiment: SimulatedExperiment) -> range:
    """The numbers of the blocks in which an experiment's units are drawn."""
    return range(-(-experiment.units // UNITS_PER_BLOCK))


def draw_cohort(world: World, experiment: SimulatedExperiment, block: int) -> Cohort:
    """The units of one block."""
    size = min(UNITS_PER_BLOCK, experiment.units - block * UNITS_PER_BLOCK)
    names = (experiment.slug, block)
    first, last = world.bounds(experiment)
    start_day = day_number(experiment.start_date)
    traits = _draw_traits(stream(world.seed, "traits", *names), size)
    draw = stream(world.seed, "participation", *names)
    return Cohort(
        experiment=experiment,
        block=block,
        start_day=start_day,
        bounds=(day_number(first), day_number(last)),
        profiles=_draw_profiles(stream(world.seed, "profiles", *names), size),
        traits=traits,
        participation=_draw_participation(draw, experiment, start_day, traits),
    )


def day_number(day: object) -> int:
    """Days since 1970-01-01."""
    return int(np.datetime64(str(day), "D").astype(np.int64))


def branch_shares(experiment: SimulatedExperiment) -> Floats:
    """The share of the units in each branch, the skew included."""
    weights = np.array([branch.ratio for branch in experiment.branches], dtype=np.float64)
    weights[-1] *= 1 + experiment.sample_ratio_skew
    shares: Floats = weights / weights.sum()
    return shares


def _draw_profiles(draw: np.random.Generator, size: int) -> Profiles:
    client_ids = _identifiers(draw, size)
    country = draw.choice(len(_COUNTRIES), size, p=_COUNTRY_SHARES)
    system = draw.choice(len(_SYSTEMS), size, p=_SYSTEM_SHARES)
    return Profiles(
        client_id=pa.array(client_ids),
        profile_group_id=pa.array(_identifiers(draw, size)),
        # A hash of the id, as in real telemetry: the same client is in the same sample everywhere.
        sample_id=pa.array([zlib.crc32(text.encode()) % 100 for text in client_ids], pa.int64()),
        country=_named(_COUNTRIES, country),
        locale=_named(_LOCALES, country),
        os=_named(_SYSTEMS, system),
        os_version=_named(_SYSTEM_VERSIONS, system),
        normalized_channel=_named(_CHANNELS, draw.choice(3, size, p=_CHANNEL_SHARES)),
        engine=_named(_ENGINES, draw.choice(3, size, p=_ENGINE_SHARES)),
    )


def _draw_traits(draw: np.random.Generator, size: int) -> Traits:
    """Levels are log-normal around one latent activity, which ties a unit's measures together."""
    activity = draw.standard_normal(size)
    own = draw.standard_normal((3, size))
    searches = 2.2 * np.exp(0.5 * activity + 0.8 * own[2] - 0.4)
    return Traits(
        active_chance=np.clip(1 / (1 + np.exp(-0.3 - activity)), 0.04, 0.92),
        # At most 5 hours on average, since a day may bring four times the average.
        hours=np.minimum(0.9 * np.exp(0.5 * activity + 0.5 * own[0] - 0.25), 5),
        pages=np.minimum(35 * np.exp(0.6 * own[1] - 0.18), 300),
        searches=np.minimum(searches, 60) * flips(draw, size, 0.75),
        clicks_per_ad=np.minimum(draw.beta(1.2, 6, size), 0.5),
        is_default=flips(draw, size, 0.45),
    )


def _draw_participation(
    draw: np.random.Generator, experiment: SimulatedExperiment, start_day: int, traits: Traits
) -> Participation:
    size = len(traits.hours)
    branch = draw.choice(len(experiment.branches), size, p=branch_shares(experiment))
    waited = draw.geometric(traits.active_chance) - 1
    period = experiment.enrollment_period
    enrollment = start_day + np.where(waited <= period, waited, draw.integers(0, period + 1, size))
    is_several = flips(draw, size, experiment.several_branches_share)
    second = _other_branch(draw, branch, experiment.branches)
    second_day = np.minimum(enrollment + draw.integers(0, 2, size), start_day + period)
    return Participation(
        branch=branch,
        second_branch=np.where(is_several, second, -1),
        enrollment_day=enrollment,
        second_day=np.where(is_several, second_day, NEVER),
        unenrollment_day=_after(draw, enrollment, experiment.unenrolled_share),
        first_day=_first_days(draw, enrollment),
        # The active stay longer.
        last_day=_after(draw, enrollment, 0.02 * (1 - traits.active_chance)),
        meets_feature=flips(draw, size, experiment.exposed_share),
    )


def _first_days(draw: np.random.Generator, enrollment: Integers) -> Integers:
    """Most profiles are older than the telemetry; one in twenty begins on its enrollment day."""
    size = len(enrollment)
    age = np.select(
        [flips(draw, size, share) for share in (0.05, 0.1)],
        [np.zeros(size, np.int64), draw.integers(1, 28, size)],
        draw.integers(60, 2000, size),
    )
    first: Integers = enrollment - age
    return first


def _other_branch(
    draw: np.random.Generator, branch: Integers, branches: tuple[SimulatedBranch, ...]
) -> Integers:
    step = draw.integers(1, max(len(branches), 2), len(branch))
    other: Integers = (branch + step) % len(branches)
    return other


def _after(draw: np.random.Generator, day: Integers, chance: float | Floats) -> Integers:
    """A day after ``day`` that comes with a constant chance each day."""
    waited = np.floor(draw.exponential(size=len(day)) / np.maximum(chance, 1e-9)) + 1
    later: Integers = day + np.minimum(waited, NEVER).astype(np.int64)
    return later


def _identifiers(draw: np.random.Generator, size: int) -> list[str]:
    text = draw.bytes(16 * size).hex()
    parts = (text[start : start + 32] for start in range(0, 32 * size, 32))
    return [f"{p[:8]}-{p[8:12]}-4{p[13:16]}-a{p[17:20]}-{p[20:]}" for p in parts]


def _named(names: tuple[str, ...], index: Integers) -> pa.StringArray:
    return pa.array(names, pa.string()).take(pa.array(index))
