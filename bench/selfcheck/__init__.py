"""Whether the driver tells the truth: against a server whose delays are known beforehand."""
