"""What this broker makes of each row of the REST STS wire, and a test behind each."""
