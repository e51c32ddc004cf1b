"""The `jetstream` command: thin commands over the same assets as the UI, never a second path.

Belongs here: arguments, progress, tables on the terminal, exit codes. Does not: any rule of the
domain.
"""
