"""Looks for leaks and confounders in a data set before anything is trained on it."""
