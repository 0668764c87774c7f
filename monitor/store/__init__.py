"""Redis: jobs, blobs, series, events."""
