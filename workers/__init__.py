"""Trains: pulls points, cross-validates, reports."""
