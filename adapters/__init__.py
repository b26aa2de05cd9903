"""The outside: transports, stores, directories, keys, telemetry, settings, and the wiring."""
