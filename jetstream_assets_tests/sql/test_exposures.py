from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from jetstream_assets.experiments.metrics import WindowBound
from jetstream_assets.experiments.windows import AnalysisWindow, Timeline
from jetstream_assets.sql.exposures import signal_range
from jetstream_assets_tests.sql.cases import SIGNAL

TIMELINE = Timeline(date(2024, 1, 1), 7)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (None, None, date(2024, 1, 1), date(2024, 1, 8)),
        (0, 0, date(2024, 1, 1), date(2024, 1, 1)),
        (-3, 14, date(2023, 12, 29), date(2024, 1, 15)),
        (
            WindowBound.ENROLLMENT_START,
            WindowBound.ENROLLMENT_START,
            date(2024, 1, 1),
            date(2024, 1, 1),
        ),
        (
            WindowBound.ENROLLMENT_END,
            WindowBound.ENROLLMENT_END,
            date(2024, 1, 8),
            date(2024, 1, 8),
        ),
        (
            WindowBound.ANALYSIS_WINDOW_START,
            WindowBound.ANALYSIS_WINDOW_END,
            date(2024, 1, 15),
            date(2024, 1, 21),
        ),
    ],
)
def test_range_of_a_signal(
    start: int | WindowBound | None, end: int | WindowBound | None, first: date, last: date
) -> None:
    signal = replace(SIGNAL, window_start=start, window_end=end)
    assert signal_range(signal, TIMELINE, AnalysisWindow(7, 13)) == (first, last)
