"""Where users come from: an ``Authenticator`` and profile attributes, one file a directory kind."""
