"""One file a case; each says what it measures and what its floor counts."""
