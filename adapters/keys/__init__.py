"""Keys: the root secret of the deployment, and the signing keys of its realms."""
