"""The tags of runs: by them runs are found again, and a person sees why a run was started.

Belongs here: the names of tags, ours and those of Dagster that we set or read. Does not: who sets
them.
"""

# Ours.
REQUEST = "jetstream/request"
EXPERIMENT = "jetstream/experiment"
# On a run of several experiments, instead of the one above: its own id.
SEVERAL = "jetstream/several-experiments"
# The date of the daily run that asked for the cell.
DAILY = "jetstream/daily"
# The commit of the configuration that the run is to use, and what of it changed.
COMMIT = "jetstream/configuration-commit"
CHANGE = "jetstream/configuration-change"
# The time (UTC) before which a new attempt of a failed run is not started.
NOT_BEFORE = "jetstream/not-before"
# The memory that the run's pod may take, where that of an earlier attempt was too little.
MEMORY = "jetstream/memory"
# "pods": the run's Dask workers are pods of their own, instead of processes of the run's pod.
WORKERS = "jetstream/dask-workers"
PODS = "pods"

# Dagster's.
# What the run's pod is to have, where runs are pods.
POD = "dagster-k8s/config"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
RANGE = (RANGE_START, RANGE_END)
# "false": trying again would end in the same way.
RETRIED = "dagster/retry_on_asset_or_op_failure"
