"""The benchmark: the product's whole chain against what the machine can do by hand, and against dlt's plain route.

`make bench` runs it (`python -m bench --help`). All routes read the same generated exports and write to databases of
their own on the same server, in turn, so that their ratios hold on a noisy machine.
"""
