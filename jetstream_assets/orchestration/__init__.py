"""The only package that imports Dagster; its files are Dagster's own nouns.

Belongs here: partitions, resources, assets, checks, jobs. Does not: any rule of the domain.
"""
