"""The time by which schedules and sensors go; tests pass another.

Belongs here: the clock alone. Does not: what is due when (`daily_look`, `configuration_watch`).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

DAY = timedelta(days=1)


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)
