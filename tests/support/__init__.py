"""What many tests use: a front door in this process, brokers as processes, planted secrets."""
