"""REST, server-sent events and the dashboard."""
