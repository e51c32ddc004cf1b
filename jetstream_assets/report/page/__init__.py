"""The pages that people read: one of each experiment, one of all.

Belongs here: from an `Overview` and the exported documents to HTML. Does not: finding anything out
(`analysis`), shaping what is exported (the rest of `report`); a page shows what the documents say,
and makes nothing but text of it.
"""
