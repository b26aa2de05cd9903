"""Moving here from ForgeRock or Ping AM: exports become instances, and both are compared."""
