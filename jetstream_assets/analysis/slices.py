"""Which slice each step of a cell reads and writes, and the provenance stored with it.

Belongs here: the mapping from a plan to slices. Does not: where a slice's bytes are (`warehouse`).

Enrollments and pre-enrollment metrics belong to the last enrollment date, whichever cell asks for
them; everything else belongs to the cell's own date.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from jetstream_assets.warehouse.base import Provenance
from jetstream_assets.warehouse.tables import DEFAULT_DATASET, ResultTable, Slice

if TYPE_CHECKING:
    from jetstream_assets.experiments.plan import AnalysisPlan

CODE_VERSION = version("jetstream-assets")


def cell_slice(plan: AnalysisPlan, table: ResultTable) -> Slice:
    """The slice of a table that belongs to the plan's own date."""
    return Slice(table, plan.slug, plan.date, result_dataset(plan))


def enrollment_slice(plan: AnalysisPlan, table: ResultTable) -> Slice:
    """The slice of a table that belongs to the last enrollment date."""
    last = plan.experiment.timeline.last_enrollment_date
    return Slice(table, plan.slug, last, result_dataset(plan))


def result_dataset(plan: AnalysisPlan) -> str:
    """The dataset for the experiment's results: its own, or the default one."""
    if plan.configuration is None or plan.configuration.dataset_id is None:
        return DEFAULT_DATASET
    return plan.configuration.dataset_id


def provenance(plan: AnalysisPlan, fingerprint: str) -> Provenance:
    """What is stored with a slice so that a later run knows whether it is still right."""
    commit = plan.configuration.commit if plan.configuration else ""
    return Provenance(fingerprint, commit, CODE_VERSION)


def same_inputs(stored: Provenance, wanted: Provenance) -> bool:
    """Whether a slice was computed from what it would be computed from now.

    The configuration's commit may differ: what it changed is in the fingerprint.
    """
    kept = ("fingerprint", "details", "code_version")
    return all(getattr(stored, field) == getattr(wanted, field) for field in kept)
