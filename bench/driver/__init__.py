"""The load driver: sends prepared requests in an open or a closed model, from several processes."""
