from __future__ import annotations

from jetstream_assets_tests.orchestration.conftest import computed, first_run, laboratory, world

__all__ = ["computed", "first_run", "laboratory", "world"]
