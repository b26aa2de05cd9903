"""Tests of the token types, each judged by libraries that we did not write."""
