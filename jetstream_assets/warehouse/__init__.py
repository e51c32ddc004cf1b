"""Where tables live: the protocol of a warehouse, the result tables, and the adapters.

Belongs here: storing, replacing and reading tables; rendering trees to a dialect. Does not: what
the queries ask (`sql`), what is computed when (`analysis`).
"""
