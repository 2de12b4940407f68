"""Model builders, one per file."""
