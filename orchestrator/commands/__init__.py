"""The commands of `orch`: each parses, calls one use case, and prints."""
