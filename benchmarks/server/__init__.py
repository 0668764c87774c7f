"""What the server does with long runs and many listeners, beside other trackers."""
