"""Whom a login stands for: principal resolution, an option of every module and chain."""
