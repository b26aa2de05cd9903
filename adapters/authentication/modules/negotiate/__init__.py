"""``negotiate``: Kerberos single sign-on over HTTP (SPNEGO, RFC 4559)."""
