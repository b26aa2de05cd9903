"""The benchmark harness: what a translation costs beside what it cannot cost less than.

CPU time of a process per request, as a ratio to something taken in the same run: machines are
noisy, ratios less so. ``python -m bench`` runs every case, ``python -m bench NAME`` one
(docs/bench.md says how to read them).
"""
