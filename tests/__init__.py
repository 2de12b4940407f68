"""The tests of orch."""
