from __future__ import annotations

from jetstream_assets_tests.orchestration.conftest import laboratory, world

__all__ = ["laboratory", "world"]
