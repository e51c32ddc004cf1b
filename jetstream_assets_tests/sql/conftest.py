"""One laboratory per slug, filled once: questions under test change nothing in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jetstream_assets_tests.sql.cases import HOSTILE_SLUG, SLUG
from jetstream_assets_tests.sql.laboratory import Laboratory
from jetstream_assets_tests.sql.records import make_records

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="session")
def laboratories(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Laboratory]:
    return {
        slug: Laboratory(make_records(slug), tmp_path_factory.mktemp("warehouse"))
        for slug in (SLUG, HOSTILE_SLUG)
    }


@pytest.fixture(scope="session")
def laboratory(laboratories: Mapping[str, Laboratory]) -> Laboratory:
    return laboratories[SLUG]
