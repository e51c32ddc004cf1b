"""How far an analysis looks back for changes, and whether it uses what is stored at all.

Belongs here: what a run is told beside its cells. Does not: anything about one experiment (its
configuration), where things are (settings).
"""

from __future__ import annotations

from dataclasses import dataclass

from jetstream_assets.analysis.source_days import DEFAULT_LOOKBACK


@dataclass(frozen=True)
class AnalysisOptions:
    """What a run is told.

    Args:
        lookback: Days before a cell's date whose sources are read again when they changed.
        is_full: Compute every window from the sources' rows, as if no day had been aggregated: the
            oracle of everything that is stored. Nothing stored is reused and no state is written.
    """

    lookback: int = DEFAULT_LOOKBACK
    is_full: bool = False


DEFAULT_OPTIONS = AnalysisOptions()
