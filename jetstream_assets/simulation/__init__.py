"""Seeded telemetry with a known truth, for the demo, tests and benchmarks.

Belongs here: generating Parquet tables, configuration and records of invented experiments. Does
not: analysing them.
"""
