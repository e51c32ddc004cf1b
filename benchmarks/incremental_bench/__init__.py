"""An experiment analysed day by day, as one backfill, and by the original's plan, in one run.

Belongs here: the invented experiment (`population`, `telemetry`, `events`, `configuration`), one
module a side (`incremental`, `windowed`, `one_pass`, `writing`), the process that is measured
(`measure`, `metering`), whether the sides agree (`agreement`), and what is told of them (`report`).
Does not: starting them (`bench_incremental`).
"""
