"""Decides: what a study is, and the `orch` command."""
