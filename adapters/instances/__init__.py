"""Published instances: their documents on the wire and in files, compiled in memory."""
