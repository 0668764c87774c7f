"""The turning-point detector beside river's detectors and an offline segmentation."""
