"""What was tried: the experiment, its windows, its metrics and the plan of one cell.

Belongs here: frozen dataclasses and pure functions over them, standard library only. Does not:
reading files (`config`), SQL (`sql`), tables (`warehouse`), Dagster (`orchestration`).
"""
