"""What may be written in a configuration file, key for key.

Belongs here: pydantic models of TOML documents. Does not: what follows from several documents
together (`config.layers`, `config.resolve`).
"""
