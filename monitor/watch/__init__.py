"""The one home of the detector: feeds it and raises alerts."""
