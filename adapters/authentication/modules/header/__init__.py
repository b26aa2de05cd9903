"""``header``: a proxy in front of the broker has checked the login, and says who it is."""
