"""The rooms that speak a backend's own language."""
