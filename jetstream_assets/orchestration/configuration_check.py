"""The check on `analysis_plan` that says which configurations are broken, with file and key.

Belongs here: the verdict and what a person reads of it. Does not: finding mistakes (`config`).

A run judges its own experiments; the configuration sensor judges all of them when it accepts a
commit, and reports it without a run.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    MetadataValue,
    TableRecord,
)

if TYPE_CHECKING:
    from jetstream_assets.config.broken import BrokenConfiguration
    from jetstream_assets.config.planning import Planner
    from jetstream_assets.errors import ConfigError

PLAN = AssetKey("analysis_plan")
CONFIGURATION_IS_VALID = "configuration_is_valid"
_VALID = "What was looked at can be used as it is written."

# It never blocks: what is computed is from a configuration that is valid.
configuration_is_valid = AssetCheckSpec(
    CONFIGURATION_IS_VALID,
    asset=PLAN,
    description="Each experiment's configuration can be used as it is written. Where it cannot, "
    "the last good one is used (a warning), or the experiment is refused (an error).",
)


def check_of_run(planner: "Planner", slugs: Iterable[str]) -> AssetCheckResult:
    """The verdict on the configurations that a run used."""
    found = (planner.broken(slug) for slug in dict.fromkeys(slugs))
    broken = [one for one in found if one is not None]
    return AssetCheckResult(
        check_name=CONFIGURATION_IS_VALID,
        asset_key=PLAN,
        passed=not broken,
        severity=_severity(broken),
        description=_description(broken, []),
        metadata=_metadata(broken, []),
    )


def check_of_commit(
    broken: "Iterable[BrokenConfiguration]", files: "Iterable[ConfigError]"
) -> AssetCheckEvaluation:
    """The verdict on a commit.

    Args:
        broken: The experiments whose configuration cannot be used.
        files: The files that cannot be used, whether an experiment needs them or not.
    """
    mistakes, unusable = list(broken), list(files)
    return AssetCheckEvaluation(
        asset_key=PLAN,
        check_name=CONFIGURATION_IS_VALID,
        passed=not mistakes and not unusable,
        severity=_severity(mistakes),
        description=_description(mistakes, unusable),
        metadata=_metadata(mistakes, unusable),
    )


def _severity(broken: "list[BrokenConfiguration]") -> AssetCheckSeverity:
    """An error only where an experiment has no results for it."""
    has_none = any(not found.last_good for found in broken)
    return AssetCheckSeverity.ERROR if has_none else AssetCheckSeverity.WARN


def _description(broken: "list[BrokenConfiguration]", files: "list[ConfigError]") -> str:
    sentences = [f"{found.slug}: {found.message}" for found in broken]
    told = {str(found.error) for found in broken}
    sentences += [text for error in files if (text := str(error)) not in told]
    return "\n".join(sentences) or _VALID


def _metadata(
    broken: "list[BrokenConfiguration]", files: "list[ConfigError]"
) -> dict[str, MetadataValue]:
    rows = [_row(found.error, found.slug, found.last_good or "none") for found in broken]
    told = {str(found.error) for found in broken}
    rows += [_row(error, "", "") for error in files if str(error) not in told]
    if not rows:
        return {}
    return {"mistakes": MetadataValue.table(rows)}


def _row(error: "ConfigError", slug: str, used: str) -> TableRecord:
    return TableRecord(
        {
            "experiment": slug,
            "file": error.path,
            "key": error.key,
            "problem": error.problem,
            "remedy": error.remedy,
            "commit used instead": used,
        }
    )
