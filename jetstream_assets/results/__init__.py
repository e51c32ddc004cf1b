"""Results for notebooks: ``jetstream_assets.results.load("results", "my-experiment")``.

Belongs here: what a data scientist calls. Does not: anything that the platform itself needs; no
other room imports this one, so that it may load pandas at once.
"""

from jetstream_assets.results.frame import Results, load

__all__ = ["Results", "load"]
