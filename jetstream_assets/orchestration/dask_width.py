"""How many Dask workers a run gets, and the sentence in its log that says why.

Belongs here: the number. Does not: the workers (`dask_cluster`).
"""


def width(workers: int, cores: int | None, side_by_side: int) -> tuple[int, str]:
    """How many workers a run gets, and why.

    Args:
        workers: The setting: so many at most; 0: no more than cores.
        cores: Cores that are granted to the run; None: workers have cores of their own.
        side_by_side: Steps of the run that may go at once; more workers would never have one.
    """
    most = workers or cores
    if most is None or side_by_side < most:
        return side_by_side, "as many as steps may go side by side"
    if workers:
        return workers, "by the setting `workers`"
    return most, "as many as cores are granted to the run"


def granted_cores() -> int:
    """The cores that the cgroup and the affinity of this process leave to it."""
    from dask.system import CPU_COUNT

    return CPU_COUNT
