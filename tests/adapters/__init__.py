"""Tests of the outside: stores, directories, keys, transports, settings."""
