"""Charts of others, each a tier."""
