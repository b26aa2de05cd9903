"""Modules and chains that say who is asking: kept per realm, looked up for requests."""
