"""Second factors that this broker keeps: what is in them, and what may be done with them."""
