"""What a person at the page waits for: points, the first paint, a zoom, a long list."""
