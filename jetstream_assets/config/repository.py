"""A configuration repository at one state: documents by what they are about, lowest first.

Belongs here: finding the documents of an experiment, outcome or application. Does not: reading a
location (`location`), what the documents mean together (`resolve`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from jetstream_assets.config.document import Document
from jetstream_assets.config.git_access import redacted
from jetstream_assets.config.layout import Kind, Place, place_of
from jetstream_assets.config.location import Files, read_files
from jetstream_assets.config.schema.base import Table, UnknownKey
from jetstream_assets.config.schema.documents import (
    AnalysisDocument,
    DefinitionsDocument,
    FunctionsDocument,
    OutcomeDocument,
)
from jetstream_assets.config.templates import Functions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jetstream_assets.errors import ConfigError

# What reads the files of a kind.
MODELS: dict[Kind, type[Table]] = {
    Kind.EXPERIMENT: AnalysisDocument,
    Kind.DEFAULTS: AnalysisDocument,
    Kind.OUTCOME: OutcomeDocument,
    Kind.DEFINITIONS: DefinitionsDocument,
    Kind.FUNCTIONS: FunctionsDocument,
}
# What Experimenter's experiments are called where defaults go by type rather than application.
_EXPERIMENT_TYPE = "v6"

Key = tuple[Kind, str, str]
D = TypeVar("D", bound=Table)


@dataclass(frozen=True)
class ConfigurationRepository:
    """The documents at a location.

    Args:
        location: Where they were read, without credentials.
        commit: The commit's hash, or ``files:`` and a digest where no commit has these files.
        documents: Documents by kind, name and application, lowest layer first.
    """

    location: str
    commit: str
    documents: Mapping[Key, tuple[Document[Table], ...]]

    def experiment(self, slug: str) -> tuple[Document[AnalysisDocument], ...]:
        """The files of an experiment, lowest first; empty when it has none."""
        return self._of(AnalysisDocument, Kind.EXPERIMENT, slug)

    def defaults(self, app_name: str) -> tuple[Document[AnalysisDocument], ...]:
        """The files of an application's defaults, then those of all experiments, lowest first."""
        of_type = self._of(AnalysisDocument, Kind.DEFAULTS, _EXPERIMENT_TYPE)
        return (*self._of(AnalysisDocument, Kind.DEFAULTS, app_name), *of_type)

    def definitions(self, app_name: str) -> tuple[Document[DefinitionsDocument], ...]:
        """The files of an application's shared definitions, lowest first."""
        return self._of(DefinitionsDocument, Kind.DEFINITIONS, app_name)

    @cached_property
    def functions(self) -> Functions:
        """The functions that select expressions may call."""
        return Functions(self._of(FunctionsDocument, Kind.FUNCTIONS, "functions"))

    def outcome(self, slug: str, app_name: str) -> Document[OutcomeDocument] | None:
        """The file of an outcome: the highest one replaces lower ones."""
        found = self._of(OutcomeDocument, Kind.OUTCOME, slug, app_name)
        return found[-1] if found else None

    def outcome_slugs(self, app_name: str) -> tuple[str, ...]:
        """The outcomes of an application, sorted."""
        return tuple(
            sorted(name for kind, name, app in self.documents if (kind, app) == _outcome(app_name))
        )

    def applications_of(self, outcome: str) -> tuple[str, ...]:
        """The applications that have an outcome of this slug, sorted."""
        return tuple(
            sorted(app for kind, name, app in self.documents if (kind, name) == _outcome(outcome))
        )

    @property
    def experiment_slugs(self) -> tuple[str, ...]:
        """The slugs that have a file, sorted; files of other tools are left out."""
        return tuple(
            sorted(
                name
                for (kind, name, _), documents in self.documents.items()
                if kind == Kind.EXPERIMENT and not all(d.is_foreign for d in documents)
            )
        )

    @cached_property
    def problems(self) -> tuple[ConfigError, ...]:
        """One error for every file that cannot be used, sorted by path."""
        found = (document.problem for document in self._own())
        return tuple(problem for problem in found if problem is not None)

    @cached_property
    def unknown_keys(self) -> tuple[UnknownKey, ...]:
        """Every key of every file that nothing reads, sorted by path."""
        return tuple(key for document in self._own() for key in document.unknown_keys)

    def _own(self) -> Iterator[Document[Table]]:
        documents = (d for group in self.documents.values() for d in group)
        return (d for d in sorted(documents, key=lambda d: d.path) if not d.is_foreign)

    def _of(
        self, model: type[D], kind: Kind, name: str, app_name: str = ""
    ) -> tuple[Document[D], ...]:
        found = self.documents.get((kind, name, app_name), ())
        own = (document for document in found if not document.is_foreign)
        # Each kind has one model, see MODELS.
        return tuple(cast("Document[D]", document) for document in own if document.model is model)


def open_configuration(location: str, *, ref: str | None = None) -> ConfigurationRepository:
    """The configuration repository at a location.

    A file that cannot be read is no error here: it is one of ``problems``, and an error for the
    experiments that need it.

    Args:
        location: A directory, a local git repository, or a repository's URL.
        ref: A branch, tag or commit; None for a directory's files as they are, or for a URL's
            default branch.

    Raises:
        ConfigError: There is nothing at the location, or git cannot give the reference.
    """
    return repository_of(read_files(location, ref), redacted(location))


def repository_of(files: Files, location: str) -> ConfigurationRepository:
    """The configuration repository of files that have been read.

    Args:
        files: The files at one state; those that are at no place of the layout are left out.
        location: Where they were read, without credentials.
    """
    placed = sorted(
        (place, path) for path in files.contents if (place := place_of(path)) is not None
    )
    documents: dict[Key, list[Document[Table]]] = defaultdict(list)
    for place, path in placed:
        document = Document(path, files.contents[path], MODELS[place.kind])
        documents[_key(place)].append(document)
    found = {key: tuple(group) for key, group in documents.items()}
    return ConfigurationRepository(location, files.commit, found)


def _key(place: Place) -> Key:
    return place.kind, place.name, place.app_name


def _outcome(name: str) -> tuple[Kind, str]:
    return Kind.OUTCOME, name
