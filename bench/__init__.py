"""The benchmark harness: what a translation costs beside what it cannot cost less than.

CPU time of the server's process per request, as a ratio to a floor taken in the same run: machines
are noisy, ratios less so. ``python -m bench`` runs every case.
"""
