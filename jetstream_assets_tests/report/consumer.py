"""The consumer's own models of the documents, imported past a warning that is theirs to mend."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # The package uses a form of pydantic's validators that pydantic deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mozilla_nimbus_schemas.jetstream import AnalysisErrors, Metadata, Statistic, Statistics

__all__ = ["AnalysisErrors", "Metadata", "Statistic", "Statistics"]
