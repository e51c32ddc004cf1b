"""What authors of a configuration are told before it is merged.

Belongs here: checking files without running an analysis. Does not: what the files mean (`config`),
their SQL (`sql`), commands (`cli`).
"""
