"""An experiment analysed day by day, as one backfill, and by the original's plan, in one run.

Belongs here: the invented experiment (`population`, `telemetry`, `configuration`), one module a
side (`incremental`, `windowed`, `one_pass`, `writing`), the process that is measured (`measure`, `metering`),
and whether the sides agree (`agreement`). Does not: starting them and printing the table
(`bench_incremental`).
"""
