"""What was written (TOML, Experimenter's JSON) turned into what is meant.

Belongs here: reading and checking text from people and services, merging its layers. Does not: what
is computed from the result (`experiments`), where files are watched (`orchestration`).
"""
