"""What assets reach the outside world through; each resource is a thin factory of plain Python.

Belongs here: opening the inputs and the document store. Does not: what is done with them, opening a
warehouse (`warehouse_resource`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from dagster import ConfigurableResource

from jetstream_assets.experiments.checks import Limits
from jetstream_assets.orchestration.settings import Settings
from jetstream_assets.orchestration.warehouse_resource import warehouse_resource
from jetstream_assets.report.gcs_store import GcsDocumentStore, bucket_and_prefix, is_bucket

if TYPE_CHECKING:
    from jetstream_assets.analysis.options import AnalysisOptions
    from jetstream_assets.config.planning import Planner
    from jetstream_assets.orchestration.accepted_configuration import Source
    from jetstream_assets.report.store import DocumentStore

# The pool of the steps whose queries weigh on the warehouse; its limit is in dagster.yaml.
WAREHOUSE_POOL = "warehouse"


class InputsResource(ConfigurableResource):  # type: ignore[type-arg]  # yields itself
    """The experiments' records and the configuration repository.

    ``root`` is that of the documents, where snapshots of the configuration are.
    """

    experiments: str
    configuration: str
    root: str
    configuration_ref: str | None = None
    strict: bool = False

    def planner(self, commit: str | None = None) -> "Planner":
        """Read the records as they are now, and the configuration.

        Args:
            commit: The commit of the configuration, from the snapshot that was stored of it; None
                for the configuration as it is now.
        """
        from jetstream_assets.orchestration.accepted_configuration import (  # noqa: PLC0415
            open_accepted_planner,
        )

        # A resource within a resource would warn of what Dagster itself calls.
        store = DocumentsResource(root=self.root).open()
        return open_accepted_planner(store, self.experiments, self.source, commit)

    @property
    def source(self) -> "Source":
        """Where the configuration is."""
        from jetstream_assets.orchestration.accepted_configuration import Source  # noqa: PLC0415

        return Source(self.configuration, self.configuration_ref, self.strict)


class DocumentsResource(ConfigurableResource):  # type: ignore[type-arg]  # yields itself
    """Where exported documents and plans are published: a folder, or ``gs://bucket/prefix``.

    ``configuration_url`` is the web address under which people read the configuration's files; it
    is named in the exported metadata of experiments that override their record. ``note`` stands at
    the top of every page.
    """

    root: str
    configuration_url: str | None = None
    note: str | None = None

    def open(self) -> "DocumentStore":
        """The store.

        Raises:
            DocumentStoreError: The store is a bucket, and there are no credentials for it.
        """
        from jetstream_assets.report.folder_store import FolderDocumentStore  # noqa: PLC0415

        return _bucket(self.root) if is_bucket(self.root) else FolderDocumentStore(Path(self.root))


class OptionsResource(ConfigurableResource):  # type: ignore[type-arg]  # yields itself
    """How far back changes of sources are followed, and whether windows are read from rows."""

    lookback: int = 3
    full: bool = False

    def open(self) -> "AnalysisOptions":
        """The options."""
        from jetstream_assets.analysis.options import AnalysisOptions  # noqa: PLC0415

        return AnalysisOptions(self.lookback, self.full)


class ChecksResource(ConfigurableResource):  # type: ignore[type-arg]  # yields itself
    """What checks allow, and which of them block the export."""

    blocking: list[str]
    p_value: float
    several_branches: float

    def limits(self) -> "Limits":
        """What checks allow."""
        return Limits(self.p_value, self.several_branches)


def resources(settings: Settings) -> dict[str, object]:
    """All resources of the code location, by the names that assets ask for."""
    return {
        "warehouse": warehouse_resource(settings),
        "inputs": InputsResource(
            experiments=settings.experiments,
            configuration=settings.configuration,
            configuration_ref=settings.configuration_ref,
            strict=settings.strict,
            root=settings.output,
        ),
        "documents": documents_resource(settings),
        "quality": ChecksResource(
            blocking=[check.value for check in settings.blocking],
            p_value=settings.check_p_value,
            several_branches=settings.check_several_branches,
        ),
        "options": OptionsResource(lookback=settings.lookback, full=settings.full),
    }


def _bucket(location: str) -> "DocumentStore":
    """The store in a bucket, with the credentials that Google's libraries find by themselves."""
    from dagster_gcp.gcs import GCSResource  # noqa: PLC0415  # loads Google's client

    from jetstream_assets.report.gcs_errors import trouble  # noqa: PLC0415  # loads it, too

    with trouble(f"the documents in {location}", "JETSTREAM_OUTPUT"):
        client = GCSResource().get_client()
    return GcsDocumentStore(client, *bucket_and_prefix(location))


def documents_resource(settings: Settings) -> DocumentsResource:
    """The document store of these settings."""
    return DocumentsResource(
        root=settings.output,
        configuration_url=settings.configuration_url,
        note=settings.note,
    )
