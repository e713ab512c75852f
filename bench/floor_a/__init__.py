"""Floor A: the least that must be done, frozen. A faster judge or smaller tables of the product move no goal.

Reader, judge, contract, tables and floor stand here as they were on 2026-11-22; a test compares their hash. What is
imported from `loader` costs nothing per line: connections, errors, printable text.
"""
