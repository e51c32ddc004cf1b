"""Answers: sufficient statistics in, result rows out.

Belongs here: what each statistic needs, its estimate, interval and comparisons. Does not: fetching
what it needs (`analysis`), the SQL that collects it (`sql`).
"""
