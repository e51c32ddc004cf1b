from __future__ import annotations

from datetime import timedelta

from jetstream_assets_tests.cli.command import jetstream, run
from jetstream_assets_tests.orchestration.laboratory import (
    END,
    EXPERIMENT,
    FIRST_WEEK,
    Laboratory,
)


def test_the_status_of_an_experiment_is_shown_with_reasons(computed: Laboratory) -> None:
    where = ("--warehouse", str(computed.settings.warehouse))
    shown = jetstream("status", "--slug", EXPERIMENT.slug, *where)
    assert shown.exit_code == 0, shown.output
    told = " ".join(shown.output.split())
    assert f"not_due 20 {FIRST_WEEK} the next window of overall is due on {END}" in told
    ok = computed.rows("result_status", "status = 'ok'")
    assert f"ok {len(ok)} {FIRST_WEEK - timedelta(days=1)} to {FIRST_WEEK}" in told
    missing = jetstream("status", "--slug", "another", *where)
    assert missing.exit_code == 2
    assert "There is no status of 'another'" in " ".join(missing.output.split())


def test_a_setting_that_cannot_be_used_is_a_sentence(laboratory: Laboratory) -> None:
    settings = {"JETSTREAM_BLOCKING_CHECKS": "srm", "JETSTREAM_SHARDS": "many"}
    result = run(laboratory, "--date", FIRST_WEEK.isoformat(), environment=settings)
    told = " ".join(result.output.split())
    assert result.exit_code == 2, told
    assert "JETSTREAM_BLOCKING_CHECKS is 'srm': there is no check 'srm'; the checks are" in told
    assert "JETSTREAM_SHARDS is 'many': " in told
    assert not laboratory.results.exists()
