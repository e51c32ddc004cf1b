"""What a test asks of the UI's GraphQL endpoint, as the UI itself does.

Belongs here: queries and mutations. Does not: starting the services (`services`), pages
(`browser`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx

from jetstream_assets.orchestration.partitions import DATE, EXPERIMENT, Cell
from jetstream_assets_tests.ui.services import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "jetstream_assets"}
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}
_TIMEOUT_SECONDS = 60.0

ASSETS = """query {
  assetNodes { assetKey { path } groupName description dependencyKeys { path } }
}"""
LOCATIONS = """query {
  workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError {
      ... on PythonError { message errorChain { error { message } } }
    }
  } } }
}"""
DAEMONS = """query {
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""
RUNS = """query {
  runsOrError { ... on Runs { results { runId status tags { key value } } } }
}"""
MATERIALIZATIONS = """query($asset: AssetKeyInput!, $partitions: [String!]) {
  assetOrError(assetKey: $asset) { ... on Asset {
    assetMaterializations(partitions: $partitions, limit: 100) {
      partition runId metadataEntries {
        label
        ... on MarkdownMetadataEntry { mdStr }
        ... on TextMetadataEntry { text }
        ... on IntMetadataEntry { intValue }
        ... on FloatMetadataEntry { floatValue }
        ... on BoolMetadataEntry { boolValue }
      }
    }
  } }
}"""
CELLS = """query($asset: AssetKeyInput!) {
  assetOrError(assetKey: $asset) { ... on Asset {
    assetMaterializations(limit: 1000) { tags { key value } metadataEntries { label } }
  } }
}"""
ADD_PARTITION = """mutation($repository: RepositorySelector!, $name: String!, $key: String!) {
  addDynamicPartition(
    repositorySelector: $repository, partitionsDefName: $name, partitionKey: $key
  ) { __typename ... on PythonError { message } }
}"""
BACKFILL = """mutation($backfill: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfill) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""


@dataclass(frozen=True)
class Run:
    """A run as the UI lists it."""

    run_id: str
    status: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Endpoint:
    """The GraphQL endpoint of a webserver."""

    url: str

    def ask(self, query: str, **variables: object) -> Any:  # noqa: ANN401  # a GraphQL answer
        """The data of an answer; errors fail the test with their text."""
        answer = httpx.post(
            f"{self.url}/graphql",
            json={"query": query, "variables": variables},
            timeout=_TIMEOUT_SECONDS,
        ).json()
        if answer.get("errors"):
            raise AssertionError(answer["errors"])
        return answer["data"]

    def assets(self) -> dict[str, dict[str, Any]]:
        """Every asset node by its name."""
        nodes = self.ask(ASSETS)["assetNodes"]
        return {"/".join(node["assetKey"]["path"]): node for node in nodes}

    def locations(self) -> dict[str, str]:
        """Per code location, whether it was loaded or with which errors not."""
        entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        return {e["name"]: _errors(e["locationOrLoadError"]) or e["loadStatus"] for e in entries}

    def daemons(self) -> dict[str, bool]:
        """Every required daemon, and whether it is healthy."""
        statuses = self.ask(DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return {s["daemonType"]: bool(s["healthy"]) for s in statuses if s["required"]}

    def add_experiment(self, slug: str) -> None:
        """Add an experiment to the partition space, as the dialog's button does."""
        answer = self.ask(ADD_PARTITION, repository=REPOSITORY, name=EXPERIMENT, key=slug)
        assert answer["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess", answer

    def backfill(self, assets: Iterable[str], cells: Iterable[Cell], **tags: str) -> str:
        """Launch a backfill of these assets over these cells; its id.

        Args:
            assets: Names of assets.
            cells: The cells.
            tags: Tags of its runs; ``__`` in a name stands for ``/``.
        """
        params = {
            "tags": [{"key": k.replace("__", "/"), "value": v} for k, v in tags.items()],
            "assetSelection": [{"path": [name]} for name in assets],
            "partitionNames": [str(cell.key) for cell in cells],
        }
        answer = self.ask(BACKFILL, backfill=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def runs(self, **tags: str) -> list[Run]:
        """The runs that carry these tags, newest first; ``__`` in a name stands for ``/``."""
        wanted = {name.replace("__", "/"): value for name, value in tags.items()}
        found = (
            Run(run["runId"], run["status"], {t["key"]: t["value"] for t in run["tags"]})
            for run in self.ask(RUNS)["runsOrError"]["results"]
        )
        return [run for run in found if wanted.items() <= run.tags.items()]

    def finished_runs(self, number: int, seconds: float, **tags: str) -> list[Run]:
        """The runs with these tags when ``number`` of them ended, or what there is by then."""

        def are_finished() -> bool:
            runs = self.runs(**tags)
            return len(runs) >= number and all(run.status in FINISHED for run in runs)

        wait_for(are_finished, seconds)
        return self.runs(**tags)

    def materializations(self, asset: str, cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
        """Per partition of these cells the metadata of its newest materialization."""
        keys = [str(cell.key) for cell in cells]
        answer = self.ask(MATERIALIZATIONS, asset={"path": [asset]}, partitions=keys)
        newest: dict[str, dict[str, Any]] = {}
        for event in answer["assetOrError"]["assetMaterializations"]:
            newest.setdefault(event["partition"], _metadata(event["metadataEntries"]))
        return newest

    def cells_with(self, asset: str, label: str) -> list[Cell]:
        """The cells whose materialization has this metadata, newest materialization first."""
        events = self.ask(CELLS, asset={"path": [asset]})["assetOrError"]["assetMaterializations"]
        found = []
        for event in events:
            tags = {tag["key"]: tag["value"] for tag in event["tags"]}
            if label in {entry["label"] for entry in event["metadataEntries"]}:
                on = date.fromisoformat(tags[f"dagster/partition/{DATE}"])
                found.append(Cell(tags[f"dagster/partition/{EXPERIMENT}"], on))
        return found


def _errors(error: dict[str, Any] | None) -> str:
    """The messages of an error and of those that caused it; empty when there is none."""
    if not error:
        return ""
    causes = (link["error"]["message"] for link in error["errorChain"])
    return "\n".join([error["message"], *causes])


def _metadata(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Metadata by label; an entry has its label and one value."""
    return {
        entry.pop("label"): next((v for k, v in entry.items() if not k.startswith("__")), None)
        for entry in entries
    }
