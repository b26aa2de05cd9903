"""The core, with fakes."""
