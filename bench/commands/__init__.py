"""The commands of ``remint bench``, a module for each group of them.

Each module has ``add_to(app)``. It imports at its top only what its options need; the rest, and the
packages of the extra ``bench`` with it, when the command runs.
"""
