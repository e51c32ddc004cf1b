"""What orchestration costs beyond the analysis itself, measured on real instances.

Belongs here: one module a question. Does not: the command line and the printing
(`bench_orchestration`).
"""
