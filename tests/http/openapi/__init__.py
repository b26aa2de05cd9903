"""What reads the OpenAPI document in tests, and the schema that it is held to."""
