"""The statistics side by side with mozanalysis, each side in a process of its own.

Belongs here: the load (`load`), the two sides (`ours`, `original`), whether they agree
(`agreement`). Does not: starting them and printing the table (`bench_statistics`).
"""
