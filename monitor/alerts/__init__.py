"""Alerts: how they are named and told."""
