"""An experiment whose configuration is broken, and what is used instead.

Belongs here: the mistake and the sentence about it. Does not: finding another configuration
(`planning`).
"""

from __future__ import annotations

from dataclasses import dataclass

from jetstream_assets.errors import ConfigError


@dataclass(frozen=True)
class BrokenConfiguration:
    """An experiment whose configuration cannot be used as it is written.

    Args:
        slug: The experiment slug.
        error: The file, the key, what was found and what is allowed.
        commit: Where it is written.
        last_good: The commit that is used instead; empty when there is none, and the experiment
            is refused.
    """

    slug: str
    error: ConfigError
    commit: str
    last_good: str

    @property
    def message(self) -> str:
        """A sentence for people: what is wrong, and what is used instead."""
        if not self.last_good:
            return str(self.error)
        return (
            f"{self.error} The configuration of commit {self.last_good} is used, the last that was "
            f"valid before {self.commit}."
        )
