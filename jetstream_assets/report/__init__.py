"""What programs and people see: exported documents and where they are stored.

Belongs here: the shape of documents, their store, Markdown for people. Does not: computing any
number (`statistics`).
"""
