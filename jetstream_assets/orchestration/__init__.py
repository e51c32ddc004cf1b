"""The only package that imports Dagster; its files are Dagster's own nouns.

Belongs here: partitions, resources, assets, checks, jobs. Does not: any rule of the domain.
"""

import warnings

# Dagster calls backfill policies beta. Its version is bounded, and no user can act on the warning.
warnings.filterwarnings("ignore", message="Parameter .backfill_policy.")
