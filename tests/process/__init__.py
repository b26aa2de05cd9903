"""Tests of the broker as processes: killed, stopped, several at once."""
