"""What the pod of a run asks for, by the plan of what it computes.

Belongs here: from a plan, or a range of cells, to a run's tag. Does not: the limits of all pods,
and what a run without the tag asks for (the instance's file); what an attempt gets that lacked
memory (`run_pods`).

The steps of a run follow one another but for the statistics, which are cut into shards that run
side by side. A pod asks for a core for each shard that has work; what it may take is the same for
all. Memory hardly depends on the plan: the libraries of a run and of its four workers take 1.5 GiB,
and queries as much beyond as they are granted, so the instance's 2 GiB hold for all.
"""

import json
from typing import TYPE_CHECKING

from jetstream_assets.orchestration import run_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jetstream_assets.experiments.plan import AnalysisPlan

# No pod may take more, so none is to ask for more.
_MOST_CORES = 4


def size_tags(plans: "Iterable[AnalysisPlan]", shards: int) -> dict[str, str]:
    """The tag by which Dagster's launcher of pods asks for a run's cores.

    Args:
        plans: What the run computes; no more of them are looked at than it takes.
        shards: Parts at most into which its statistics are cut.
    """
    from jetstream_assets.analysis.statistics import Shard  # noqa: PLC0415  # loads tables' library

    idle = {Shard(index, shards) for index in range(shards)}
    for plan in plans:
        idle -= {shard for shard in idle if shard.has_work(plan)}
        if shards - len(idle) >= min(shards, _MOST_CORES):
            break
    return _cores(shards - len(idle))


def range_size_tags(found: "Mapping[str, str]") -> dict[str, str]:
    """The tag of a run over several cells whose size nobody has said, such as a backfill of the UI.

    Its plans are not known when it is queued, but over several dates every shard has work.

    Args:
        found: The tags that the run has.
    """
    start, end = (found.get(bound) for bound in run_tags.RANGE)
    return _cores(_MOST_CORES) if start != end and run_tags.POD not in found else {}


def _cores(wanted: int) -> dict[str, str]:
    requests = {"cpu": f"{max(1, min(wanted, _MOST_CORES))}"}
    config = {"container_config": {"resources": {"requests": requests}}}
    return {run_tags.POD: json.dumps(config)}
