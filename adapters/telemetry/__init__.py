"""What the broker says of itself: audit lines, log lines, events."""
