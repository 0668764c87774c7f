"""Turning points: the online detector."""
