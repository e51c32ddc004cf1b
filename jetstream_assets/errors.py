"""The errors that users see. Each says who, what was found, what was allowed and what to do.

What belongs here: exceptions that cross a layer. What does not: refusals of an experiment and
failures of one metric or statistic; those are stored rows, not exceptions (`experiments.refusals`,
`experiments.failures`).
"""

from __future__ import annotations


class JetstreamError(Exception):
    """Something a user can mend. The command line prints the message and no stack trace.

    Attributes:
        may_pass: Whether the same may succeed later although nobody mends anything. A run that
            fails so is tried again; one that fails otherwise is not.
    """

    may_pass = False


class ConfigError(JetstreamError):
    """A configuration file, or a key in it, cannot be understood.

    Args:
        path: The file as the author knows it, relative to the repository where possible.
        key: The dotted key inside the file, such as ``metrics.spend.data_source``; empty for the
            file as a whole.
        problem: What was found and what was allowed.
        remedy: What to do next; may be empty where the problem says it.
    """

    def __init__(self, path: str, key: str, problem: str, remedy: str = "") -> None:
        self.path = path
        self.key = key
        self.problem = problem
        self.remedy = remedy
        where = f"{path}: {key}" if key else path
        super().__init__(f"{where}: {problem}" + (f" {remedy}" if remedy else ""))


def error_at(origin: str, problem: str, remedy: str = "") -> ConfigError:
    """An error about what is written at an origin, ``path: key`` or a path alone."""
    path, _, key = origin.partition(": ")
    return ConfigError(path, key, problem, remedy)


class UnreachableConfigError(ConfigError):
    """The repository of the configuration does not answer, now."""

    may_pass = True


class ExperimentError(JetstreamError):
    """An experiment's record cannot be read, or the source of records cannot be reached."""


class UnreachableExperimentsError(ExperimentError):
    """The source of experiments' records does not answer, now."""

    may_pass = True


class WarehouseError(JetstreamError):
    """The warehouse did not do what was asked. Transient unless a subclass says otherwise."""

    may_pass = True


class WarehouseAccessError(WarehouseError):
    """The warehouse cannot be used until somebody sets something up: a permission, a dataset.

    It is no fault of a query, so it fails the run and is stored with no cell.
    """

    may_pass = False


class QueryError(WarehouseError):
    """The warehouse refused a query for what it says: a missing table or column, a bad cast.

    Running it again gives the same answer, so the cell that asked stores it as its reason.

    Args:
        problem: The warehouse's own message, made short: what is missing or wrong.
        sql: The statement in the warehouse's dialect, for a person to read.
    """

    may_pass = False

    def __init__(self, problem: str, sql: str = "") -> None:
        self.problem = problem
        self.sql = sql
        super().__init__(problem)


class CheckError(JetstreamError):
    """A check that blocks the export has failed, so nothing was exported."""


class SettingsError(JetstreamError):
    """A setting of the environment cannot be used; the message says what was allowed."""
