from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.orchestration.dask_width import width

if TYPE_CHECKING:
    from collections.abc import Iterator

CGROUPS = Path("/sys/fs/cgroup/cpu")
ASK = "from jetstream_assets.orchestration.dask_width import granted_cores as g; print(g())"
# What a container runtime does: the process is put into a group, and sees it where groups are.
CONTAINED = """
echo $$ > "$1/cgroup.procs" && mount --bind "$1" "$2" && mount -t tmpfs none /sys/fs/cgroup &&
mkdir /sys/fs/cgroup/cpu,cpuacct && mount --move "$2" /sys/fs/cgroup/cpu,cpuacct && shift 2 &&
exec "$@"
"""


@pytest.mark.parametrize(
    ("workers", "cores", "side_by_side", "number", "why"),
    [
        (0, 4, 8, 4, "as many as cores are granted to the run"),
        (0, 4, 4, 4, "as many as cores are granted to the run"),
        (0, 4, 2, 2, "as many as steps may go side by side"),
        (3, 4, 8, 3, "by the setting `workers`"),
        (8, 4, 8, 8, "by the setting `workers`"),
        (8, 4, 2, 2, "as many as steps may go side by side"),
        # Pods have cores of their own.
        (0, None, 9, 9, "as many as steps may go side by side"),
        (3, None, 9, 3, "by the setting `workers`"),
    ],
)
def test_the_least_of_all_limits_holds_and_is_named(
    workers: int, cores: int | None, side_by_side: int, number: int, why: str
) -> None:
    assert width(workers, cores, side_by_side) == (number, why)


@contextmanager
def quota(cores: float) -> Iterator[Path]:
    """A cgroup that grants so many cores."""
    group = CGROUPS / f"jetstream-test-{os.getpid()}"
    group.mkdir()
    try:
        period = int((group / "cpu.cfs_period_us").read_text())
        (group / "cpu.cfs_quota_us").write_text(str(int(cores * period)))
        yield group
    finally:
        group.rmdir()


needs_two_cores = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="one core is all that there is, and nothing is taken"
)


@needs_two_cores
@pytest.mark.parametrize("cores", [0.5, 1.0])
@pytest.mark.skipif(
    not os.access(CGROUPS / "cgroup.procs", os.W_OK), reason="nobody may make cgroups (v1) here"
)
def test_the_cores_are_those_that_a_cgroup_grants(cores: float, tmp_path: Path) -> None:
    with quota(cores) as group:
        inside = ["unshare", "--mount", "sh", "-c", CONTAINED, "sh", str(group), str(tmp_path)]
        done = subprocess.run(
            [*inside, sys.executable, "-c", ASK], capture_output=True, text=True, check=False
        )
    assert (done.stdout, done.stderr) == ("1\n", "")


@needs_two_cores
def test_the_cores_are_those_that_the_affinity_grants() -> None:
    one = min(os.sched_getaffinity(0))
    inside = ["taskset", "--cpu-list", str(one), sys.executable, "-c", ASK]
    done = subprocess.run(inside, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
