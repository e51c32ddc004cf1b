"""Ticks of the configuration sensor over a real git repository that it reaches by a URL."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    DagsterInstance,
    TableMetadataValue,
    build_sensor_context,
)

from jetstream_assets.orchestration import accepted_configuration, run_tags
from jetstream_assets.orchestration.accepted_configuration import SNAPSHOTS
from jetstream_assets.orchestration.configuration_sensor import configuration_sensor
from jetstream_assets.orchestration.configuration_watch import MARKER
from jetstream_assets.orchestration.partitions import EXPERIMENT as EXPERIMENTS
from jetstream_assets.orchestration.partitions import Cell
from jetstream_assets.orchestration.resources import resources
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets.simulation.demo import experimenter_record
from jetstream_assets_tests.orchestration.laboratory import (
    CONFIGURATION,
    DEFINITIONS,
    END,
    EXPERIMENT,
    FIRST_WEEK,
    Laboratory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import SensorDefinition
    from dagster._core.definitions.sensor_definition import SensorExecutionData

SLUG, OTHER, ENDED = "small-experiment", "other-experiment", "ended-experiment"
START = EXPERIMENT.start_date
NOW = datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
YESTERDAY = date(2026, 3, 10)
OWN, OTHERS = f"jetstream/{SLUG}.toml", f"jetstream/{OTHER}.toml"
SHARED = "definitions/firefox_desktop.toml"
PLAIN = '[metrics]\nweekly = ["searches"]\n[metrics.searches.statistics.bootstrap_mean]\n'
MISTAKE = '[experiment]\nenrollment_period = "soon"\n'


@dataclass
class Watched:
    """A repository that an author pushes to, and the sensor that watches where it is pushed."""

    root: Path
    instance: DagsterInstance
    cursor: str | None = None
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = Settings(
            configuration=f"file://{self.remote}",
            experiments=str(self.root / "experiments.json"),
            warehouse=self.root / "warehouse",
            output=str(self.root / "output"),
        )
        self.git("init", "--quiet", "--initial-branch", "main", str(self.author))
        shutil.copytree(self.author / ".git", self.remote)
        self.git("-C", str(self.remote), "config", "core.bare", "true")

    @property
    def author(self) -> Path:
        return self.root / "author"

    @property
    def remote(self) -> Path:
        return self.root / "remote.git"

    @property
    def sensor(self) -> SensorDefinition:
        return configuration_sensor(self.settings, lambda: NOW)

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: dict[str, str | None], message: str = "Change") -> str:
        """Commit files; None deletes one."""
        for path, text in files.items():
            target = self.author / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                target.unlink()
            else:
                target.write_text(text)
        self.git("-C", str(self.author), "add", "--all")
        self.git("-C", str(self.author), "commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("-C", str(self.author), "rev-parse", "HEAD")

    def push(self) -> None:
        push = ["push", "--quiet", "--force", str(self.remote), "main"]
        self.git("-C", str(self.author), *push)

    def change(self, files: dict[str, str | None], message: str = "Change") -> str:
        commit = self.commit(files, message)
        self.push()
        return commit

    def look(self) -> SensorExecutionData:
        """A tick, as the daemon evaluates it; its cursor is kept."""
        context = build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources=resources(self.settings),
        )
        with context:
            found = self.sensor.evaluate_tick(context)
        self.cursor = found.cursor or self.cursor
        return found

    def accepted(self) -> dict[str, object]:
        found = json.loads((self.root / "output/configuration/accepted.json").read_text())
        assert isinstance(found, dict)
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Three experiments, one of which ended long ago; the first commit has been seen."""
    records = [
        experimenter_record(replace(EXPERIMENT, slug=SLUG)),
        experimenter_record(replace(EXPERIMENT, slug=OTHER)),
        experimenter_record(
            replace(
                EXPERIMENT,
                slug=ENDED,
                start_date=START - timedelta(days=200),
                end_date=END - timedelta(days=200),
            )
        ),
    ]
    with DagsterInstance.ephemeral() as instance:
        found = Watched(tmp_path, instance)
        (tmp_path / "experiments.json").write_text(json.dumps(records))
        files = {SHARED: DEFINITIONS, OWN: CONFIGURATION, OTHERS: PLAIN}
        found.change({**files, f"jetstream/{ENDED}.toml": PLAIN})
        yield found


def slugs(tick: SensorExecutionData) -> list[str]:
    return [request.tags[run_tags.EXPERIMENT] for request in tick.run_requests or []]


def what(tick: SensorExecutionData) -> dict[str, str]:
    return {
        request.tags[run_tags.EXPERIMENT]: request.tags[run_tags.CHANGE]
        for request in tick.run_requests or []
    }


def verdict(tick: SensorExecutionData) -> AssetCheckEvaluation:
    (found,) = tick.asset_events
    assert isinstance(found, AssetCheckEvaluation)
    return found


def test_the_first_tick_accepts_the_head_and_asks_for_nothing(watched: Watched) -> None:
    tick = watched.look()
    head = watched.git("-C", str(watched.author), "rev-parse", "HEAD")
    assert not tick.run_requests
    assert f"accepted at commit {head[:12]} without asking for results" in str(tick.skip_message)
    assert watched.accepted() == {
        "source": watched.settings.configuration,
        "commit": head,
        "last_good": {},
        "superseded": [],
    }
    assert verdict(tick).passed
    again = watched.look()
    assert not again.run_requests
    assert "is still at commit" in str(again.skip_message)
    assert again.asset_events == []


def test_a_change_asks_for_its_experiment_from_launch_until_yesterday(watched: Watched) -> None:
    watched.look()
    changed = CONFIGURATION.replace(
        'weekly = ["active_hours", "searches"]', 'weekly = ["searches"]'
    )
    commit = watched.change({OWN: changed})
    tick = watched.look()
    assert slugs(tick) == [SLUG]
    (request,) = tick.run_requests or []
    change = "weekly: linear_model_mean of active_hours removed"
    assert request.tags == {
        **request.tags,
        run_tags.COMMIT: commit,
        run_tags.CHANGE: change,
        run_tags.RANGE_START: str(Cell(SLUG, START).key),
        run_tags.RANGE_END: str(Cell(SLUG, YESTERDAY).key),
    }
    # So little work is not cut into shards, so one core serves it.
    asked = json.loads(request.tags[run_tags.POD])["container_config"]["resources"]
    assert asked == {"requests": {"cpu": "1"}}
    assert request.run_key == f"1:{commit}:{SLUG}"
    (partitions,) = tick.dynamic_partitions_requests or []
    assert partitions.partitions_def_name == EXPERIMENTS
    assert partitions.partition_keys == [SLUG]
    assert not watched.look().run_requests


def test_what_changes_no_result_asks_for_nothing(watched: Watched) -> None:
    watched.look()
    told = "[metrics.searches]\nfriendly_name = 'Searches'\ndescription = 'How many'\n"
    commit = watched.change(
        {
            OWN: f"# A comment\n{CONFIGURATION}",
            SHARED: DEFINITIONS.replace("[metrics.searches]\n", told)
            + '[metrics.unused]\ndata_source = "clients_daily"\nselect_expression = "COUNT(*)"\n',
            "README.toml": "",
        }
    )
    tick = watched.look()
    assert not tick.run_requests
    assert "it changes nothing that is computed" in str(tick.skip_message)
    assert f"{SHARED} was changed." in str(tick.skip_message)
    assert watched.accepted()["commit"] == commit


def test_a_shared_definition_asks_for_recent_experiments_that_use_it(watched: Watched) -> None:
    watched.look()
    watched.change({SHARED: DEFINITIONS.replace("SUM(search_count_all)", "MAX(search_count_all)")})
    assert what(watched.look()) == {SLUG: "metric searches", OTHER: "metric searches"}
    source = '"telemetry.clients_daily_v6"\n[metrics.active'
    watched.change(
        {SHARED: DEFINITIONS.replace('"telemetry.clients_daily"\n[metrics.active', source)}
    )
    expected = "data source clients_daily; metric searches"
    assert what(watched.look()) == {SLUG: expected, OTHER: expected}


def test_an_experiment_that_ended_long_ago_is_asked_for_by_its_own_file(watched: Watched) -> None:
    watched.look()
    watched.change({f"jetstream/{ENDED}.toml": PLAIN.replace("weekly", "overall")})
    tick = watched.look()
    assert slugs(tick) == [ENDED]
    (request,) = tick.run_requests or []
    assert request.tags[run_tags.RANGE_END] == str(Cell(ENDED, END - timedelta(days=200)).key)


def test_several_commits_between_ticks_are_one_comparison(watched: Watched) -> None:
    watched.look()
    watched.change({OTHERS: PLAIN.replace("weekly", "overall")})
    watched.change({OWN: CONFIGURATION.replace("bootstrap_mean", "binomial")})
    commit = watched.change({OTHERS: PLAIN})
    tick = watched.look()
    assert slugs(tick) == [SLUG]
    assert watched.accepted()["commit"] == commit


def test_a_force_push_is_compared_with_what_was_seen(watched: Watched) -> None:
    watched.look()
    first = watched.git("-C", str(watched.author), "rev-parse", "HEAD")
    second = watched.change({OWN: CONFIGURATION.replace("bootstrap_mean", "binomial")})
    assert slugs(watched.look()) == [SLUG]
    # History is written anew: the second commit, and the first, are gone from the remote.
    watched.git("-C", str(watched.author), "checkout", "--quiet", "--orphan", "fresh")
    third = watched.commit({OWN: CONFIGURATION, OTHERS: PLAIN.replace("weekly", "overall")})
    watched.git("-C", str(watched.author), "branch", "--force", "main", third)
    watched.push()
    watched.git("-C", str(watched.remote), "reflog", "expire", "--expire=now", "--all")
    watched.git("-C", str(watched.remote), "gc", "--quiet", "--prune=now")
    for gone in (first, second):
        with pytest.raises(subprocess.CalledProcessError):
            watched.git("-C", str(watched.remote), "cat-file", "-e", gone)
    tick = watched.look()
    assert slugs(tick) == [SLUG, OTHER]
    assert watched.accepted()["commit"] == third


def test_a_commit_that_comes_back_asks_again(watched: Watched) -> None:
    first = watched.git("-C", str(watched.author), "rev-parse", "HEAD")
    watched.look()
    second = watched.change({OWN: CONFIGURATION.replace("bootstrap_mean", "binomial")})
    keys = []
    for commit, superseded in ((second, [first]), (first, [second]), (second, [first])):
        watched.git("-C", str(watched.author), "branch", "--force", "back", commit)
        watched.git("-C", str(watched.author), "push", "-qf", str(watched.remote), "back:main")
        (request,) = watched.look().run_requests or []
        keys.append(request.run_key)
        assert watched.accepted()["superseded"] == superseded
    assert len(set(keys)) == 3


def test_a_tick_that_is_repeated_asks_under_the_same_keys(watched: Watched) -> None:
    watched.look()
    before = watched.cursor
    watched.change({OWN: MISTAKE, OTHERS: PLAIN.replace("weekly", "overall")})
    first = watched.look()
    watched.cursor = before
    second = watched.look()
    assert [r.run_key for r in first.run_requests or []] == [
        r.run_key for r in second.run_requests or []
    ]
    assert first.cursor == second.cursor


def test_a_deleted_file_falls_back_to_defaults(watched: Watched) -> None:
    watched.look()
    watched.change({OTHERS: None})
    tick = watched.look()
    assert what(tick) == {
        OTHER: "data source clients_daily removed; metric searches removed; "
        "weekly: bootstrap_mean of searches removed"
    }
    watched.change({OTHERS: PLAIN})
    assert slugs(watched.look()) == [OTHER]


def test_a_broken_file_keeps_its_last_good_commit_until_it_is_mended(watched: Watched) -> None:
    good = watched.git("-C", str(watched.author), "rev-parse", "HEAD")
    watched.look()
    watched.change({OWN: MISTAKE, OTHERS: PLAIN.replace("weekly", "overall")})
    tick = watched.look()
    # The others go on.
    assert slugs(tick) == [OTHER]
    assert watched.accepted()["last_good"] == {SLUG: good}
    found = verdict(tick)
    assert not found.passed
    assert found.severity == AssetCheckSeverity.WARN
    table = found.metadata["mistakes"]
    assert isinstance(table, TableMetadataValue)
    (row,) = table.records
    assert row.data == {
        "experiment": SLUG,
        "file": OWN,
        "key": "experiment.enrollment_period",
        "problem": row.data["problem"],
        "remedy": row.data["remedy"],
        "commit used instead": good,
    }
    assert "found 'soon'" in str(row.data["problem"])
    # Another commit on top leaves it broken, and does not ask for it.
    watched.change({SHARED: DEFINITIONS.replace("active_hours_sum", "2 * active_hours_sum")})
    tick = watched.look()
    assert slugs(tick) == []
    assert watched.accepted()["last_good"] == {SLUG: good}
    # Mended: it is compared with its last good commit.
    watched.change({OWN: CONFIGURATION, SHARED: DEFINITIONS})
    tick = watched.look()
    assert slugs(tick) == []
    assert watched.accepted()["last_good"] == {}
    assert verdict(tick).passed


def test_an_experiment_that_was_never_valid_is_an_error_until_it_is(watched: Watched) -> None:
    watched.change({OWN: MISTAKE})
    tick = watched.look()
    assert not tick.run_requests
    assert verdict(tick).severity == AssetCheckSeverity.ERROR
    assert watched.accepted()["last_good"] == {}
    watched.change({OWN: CONFIGURATION})
    assert what(watched.look()) == {SLUG: "its configuration, which can be used now"}


def test_an_unreachable_remote_is_told_and_tried_again(watched: Watched) -> None:
    watched.look()
    before = watched.cursor
    watched.change({OWN: CONFIGURATION.replace("bootstrap_mean", "binomial")})
    watched.remote.rename(watched.root / "away")
    tick = watched.look()
    assert not tick.run_requests
    assert str(tick.skip_message).startswith("Nothing was accepted; the next tick tries. file://")
    assert "git ls-remote failed: fatal:" in str(tick.skip_message)
    assert watched.cursor == before
    (watched.root / "away").rename(watched.remote)
    records = watched.root / "experiments.json"
    records.rename(watched.root / "away.json")
    assert str(records) in str(watched.look().skip_message)
    assert watched.cursor == before
    (watched.root / "away.json").rename(records)
    assert slugs(watched.look()) == [SLUG]


def test_a_marked_commit_is_accepted_and_asks_for_nothing(watched: Watched) -> None:
    watched.look()
    message = f"Use another statistic\n\n{MARKER} The old one told the same."
    commit = watched.change({OWN: CONFIGURATION.replace("bootstrap_mean", "binomial")}, message)
    tick = watched.look()
    assert not tick.run_requests
    assert f"{SLUG} is not computed again, since {MARKER} is in {commit[:12]}" in str(
        tick.skip_message
    )
    assert watched.accepted()["commit"] == commit


def test_results_that_a_marked_commit_changes_are_stale(
    watched: Watched, computed: Laboratory
) -> None:
    shutil.copytree(computed.settings.warehouse, watched.root / "warehouse")
    stored = Laboratory(watched.root)
    watched.look()
    weekly = CONFIGURATION.replace(
        'weekly = ["active_hours", "searches"]', 'weekly = ["active_hours"]', 1
    )
    commit = watched.change({OWN: weekly}, f"Ask for less {MARKER}")
    before = stored.rows("result_status", "status = 'ok'")
    assert not watched.look().run_requests
    stale = stored.rows("result_status", "status = 'stale'")
    # The day before has the daily window alone, of which nothing changed.
    assert {row["date"] for row in stale} == {FIRST_WEEK}
    assert len(stale) == len([row for row in before if row["date"] == FIRST_WEEK])
    assert {row["exception_type"] for row in stale} == {"NotRerunException"}
    assert all(f"{MARKER} is in {commit[:12]}" in row["reason"] for row in stale)


def test_of_several_commits_only_the_marked_ones_ask_for_nothing(watched: Watched) -> None:
    watched.look()
    watched.change({OWN: CONFIGURATION.replace("bootstrap_mean", "binomial")}, f"One {MARKER}")
    watched.change({OTHERS: PLAIN.replace("weekly", "overall")}, "Two")
    assert slugs(watched.look()) == [OTHER]
    # A merge brings the messages of what it merges.
    author = ("-C", str(watched.author))
    watched.git(*author, "checkout", "--quiet", "-b", "side")
    watched.commit({OTHERS: PLAIN}, f"Back {MARKER}")
    watched.git(*author, "checkout", "--quiet", "main")
    watched.git(*author, "merge", "--quiet", "--no-ff", "-m", "Merge", "side")
    watched.push()
    assert slugs(watched.look()) == []


def test_dates_before_the_partitions_are_left_out(watched: Watched) -> None:
    watched.settings = watched.settings.model_copy(update={"first_date": date(2026, 3, 5)})
    watched.look()
    watched.change({OWN: CONFIGURATION.replace("bootstrap_mean", "binomial")})
    (request,) = watched.look().run_requests or []
    assert request.tags[run_tags.RANGE_START] == str(Cell(SLUG, date(2026, 3, 5)).key)
    watched.settings = watched.settings.model_copy(update={"first_date": date(2026, 4, 1)})
    watched.change({OWN: CONFIGURATION})
    tick = watched.look()
    assert not tick.run_requests
    assert "All its dates are before 2026-04-01" in str(tick.skip_message)


def test_skip_and_a_new_file_for_an_experiment(watched: Watched) -> None:
    watched.look()
    watched.change({OTHERS: f"[experiment]\nskip = true\n{PLAIN}"})
    tick = watched.look()
    assert not tick.run_requests
    assert f"{OTHER} is left out: its configuration sets skip = true." in str(tick.skip_message)


def test_a_directory_without_a_repository_is_compared_by_its_files(watched: Watched) -> None:
    shutil.rmtree(watched.author / ".git")
    watched.settings = watched.settings.model_copy(update={"configuration": str(watched.author)})
    assert "no commit has them" in str(watched.look().skip_message)
    (watched.author / OTHERS).write_text(PLAIN.replace("weekly", "overall"))
    tick = watched.look()
    assert slugs(tick) == [OTHER]
    (request,) = tick.run_requests or []
    assert request.tags[run_tags.COMMIT].startswith("files:")


def test_snapshots_are_kept_as_long_as_they_are_used(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored() -> set[str]:
        return {path.stem for path in (watched.root / "output" / SNAPSHOTS).glob("*.json")}

    first = watched.git("-C", str(watched.author), "rev-parse", "HEAD")
    watched.look()
    second = watched.change({OWN: MISTAKE})
    watched.look()
    later = datetime.now(UTC).date() + timedelta(days=30)
    monkeypatch.setattr(accepted_configuration, "_today", lambda: later)
    third = watched.change({OTHERS: PLAIN.replace("weekly", "overall")})
    watched.look()
    # The first is the last good of a broken experiment; nothing needs the second.
    assert stored() == {first, third}
    assert second not in stored()


def test_another_source_is_seen_for_the_first_time(watched: Watched) -> None:
    watched.look()
    watched.git("-C", str(watched.remote), "branch", "next", "main")
    watched.settings = watched.settings.model_copy(update={"configuration_ref": "next"})
    tick = watched.look()
    assert "at next: accepted" in str(tick.skip_message)
    watched.change({OWN: CONFIGURATION.replace("bootstrap_mean", "binomial")})
    assert not watched.look().run_requests
    watched.git("-C", str(watched.remote), "branch", "--force", "next", "main")
    assert slugs(watched.look()) == [SLUG]
