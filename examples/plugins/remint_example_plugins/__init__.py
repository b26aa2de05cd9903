"""One plug-in of each kind for the Remint token broker."""
