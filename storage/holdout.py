"""The sealed hold-out and the record of its openings."""
