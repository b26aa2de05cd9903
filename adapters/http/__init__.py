"""The HTTP front door: ForgeRock's REST STS wire, sessions, administration, keys, health."""
