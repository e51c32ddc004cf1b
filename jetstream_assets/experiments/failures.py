"""Why something has no result: a value that is stored, counted and exported, never only logged.

Belongs here: the refusal of an experiment and the failure of one metric or statistic. Does not:
exceptions that a user mends before anything can run (`errors`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jetstream_assets.experiments.metrics import AnalysisBasis
from jetstream_assets.experiments.windows import Period


class RefusalKind(StrEnum):
    """Why an experiment cannot be analysed on a date. The value is the exported exception type."""

    NO_SLUG = "NoSlugException"
    SKIPPED = "ExplicitSkipException"
    NO_BRANCHES = "NoBranchesException"
    NO_ENROLLMENT_PERIOD = "NoEnrollmentPeriodException"
    NO_START_DATE = "NoStartDateException"
    ENDED = "EndedException"
    ROLLOUT = "RolloutSkipException"
    UNSUPPORTED_APPLICATION = "UnsupportedApplicationException"
    ENROLLMENT_NOT_COMPLETE = "EnrollmentNotCompleteException"
    ENROLLMENT_TOO_LONG = "EnrollmentLongerThanAnalysisException"
    CONFIGURATION = "ConfigurationException"
    UNREADABLE_RECORD = "UnreadableRecordException"
    UNKNOWN_EXPERIMENT = "UnknownExperimentException"


@dataclass(frozen=True)
class Refusal:
    """An experiment that is not analysed on a date, and a sentence that says why."""

    kind: RefusalKind
    message: str


class Interruption(StrEnum):
    """What keeps a cell from the results of its plan although no step stored a failure.

    The value is the exported exception type.
    """

    # A run ended before it came to it.
    RUN_FAILED = "RunFailureException"
    # The configuration changed, and whoever changed it asked for no run.
    NOT_RERUN = "NotRerunException"
    # All steps succeeded, and a result is not there.
    MISSING_RESULT = "MissingResultException"


class Stage(StrEnum):
    """Where in the corridor a failure arose."""

    PLAN = "plan"
    ENROLLMENTS = "enrollments"
    METRICS = "metrics"
    STATISTICS = "statistics"
    # The run as a whole; see `Interruption`.
    RUN = "run"


@dataclass(frozen=True)
class Failure:
    """One thing that has no result; the fields that do not apply are None.

    ``message`` is a sentence for people; ``sql`` the statement that failed, if one did.
    """

    stage: Stage
    message: str
    exception_type: str
    period: Period | None = None
    window_index: int | None = None
    analysis_basis: AnalysisBasis | None = None
    segment: str | None = None
    metric: str | None = None
    statistic: str | None = None
    sql: str | None = None
