"""How one cell is computed: plan and warehouse in, table slices out. Plain Python.

Belongs here: the order of queries, finding or computing what a cell needs, turning a failed query
into a stored reason. Does not: SQL (`sql`), formulas (`statistics`), Dagster (`orchestration`).
"""
