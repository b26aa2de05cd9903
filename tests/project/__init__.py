"""The repository keeps its promises about itself."""
