"""Plug-ins that instances name: found by entry point, made once, asked in time."""

from adapters.plugins.installed import InstalledPlugIns

__all__ = ["InstalledPlugIns"]
