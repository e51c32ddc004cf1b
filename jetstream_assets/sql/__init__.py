"""Questions: the model turned into sqlglot trees in BigQuery's dialect, never executed here.

Belongs here: enrollments, exposures, segments, metrics, sufficient statistics as trees. Does not:
rendering to a warehouse's dialect and running (`warehouse`), deciding what is due (`experiments`).
"""
