from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from jetstream_assets.errors import ConfigError
from jetstream_assets.experiments.hypotheses import Correction, MultipleComparisons, PowerGoal
from jetstream_assets_tests.config.folder import CLICKS, SLUG

if TYPE_CHECKING:
    from jetstream_assets_tests.config.folder import Folder

TAPS = """
[metrics.taps]
select_expression = "SUM(taps)"
data_source = "events"
statistics = { count = {} }
"""


def _own(folder: Folder, table: str) -> Folder:
    return folder.own(f'[metrics]\nweekly = ["clicks", "taps"]\n{CLICKS}{TAPS}{table}')


def test_nothing_is_declared_by_default(folder: Folder) -> None:
    configuration = _own(folder, "").resolve()
    assert (configuration.multiple_comparisons, configuration.power) == (None, None)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("", Correction.HOLM),
        ('method = "holm"', Correction.HOLM),
        ('method = "benjamini_hochberg"', Correction.BENJAMINI_HOCHBERG),
    ],
)
def test_a_family_is_declared_without_repeats(
    folder: Folder, method: str, expected: Correction
) -> None:
    table = f'[experiment.multiple_comparisons]\nmetrics = ["clicks", "clicks"]\n{method}'
    found = _own(folder, table).resolve_strictly().multiple_comparisons
    assert found == MultipleComparisons(("clicks",), expected)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("effect = 0.02", PowerGoal(0.02, 0.8)),
        ("effect = 1\npower = 0.9", PowerGoal(1.0, 0.9)),
        ("", PowerGoal(None, 0.8)),
    ],
)
def test_power_is_declared(folder: Folder, table: str, expected: PowerGoal) -> None:
    found = _own(folder, f"[experiment.power]\n{table}").resolve_strictly().power
    assert found == expected


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ('multiple_comparisons.metrics = ["click"]', "metrics", "Did you mean 'clicks'?"),
        ('multiple_comparisons.metrics = ["taps"]', "metrics", "no statistic with a p-value"),
        ("multiple_comparisons.metrics = []", "metrics", "at least 1"),
        ("multiple_comparisons.method = 'holm'", "metrics", "the key is missing"),
        (
            'multiple_comparisons = {metrics = ["clicks"], method = "bonferroni"}',
            "method",
            "'holm' or 'benjamini_hochberg'",
        ),
        ("power.effect = 0", "effect", "greater than 0"),
        ("power.effect = inf", "effect", "finite"),
        ("power.power = 1.0", "power", "less than 1"),
        ('power.power = "high"', "power", "'high'"),
    ],
)
def test_what_cannot_be_declared_is_named(folder: Folder, table: str, key: str, words: str) -> None:
    _own(folder, f"[experiment]\n{table}")
    with pytest.raises(ConfigError) as caught:
        folder.resolve()
    assert caught.value.path == f"jetstream/{SLUG}.toml"
    assert caught.value.key == f"experiment.{re.split('[. ]', table)[0]}.{key}"
    assert words in caught.value.problem + caught.value.remedy


def test_defaults_may_declare_a_family_and_the_file_changes_it(folder: Folder) -> None:
    folder.defaults('[experiment.multiple_comparisons]\nmetrics = ["clicks"]')
    assert _own(folder, "").resolve().multiple_comparisons == MultipleComparisons(("clicks",))
    table = "[experiment.multiple_comparisons]\n"
    table += 'metrics = ["clicks"]\nmethod = "benjamini_hochberg"'
    found = _own(folder, table).resolve().multiple_comparisons
    assert found == MultipleComparisons(("clicks",), Correction.BENJAMINI_HOCHBERG)
