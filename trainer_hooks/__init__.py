"""Hook calls for any trainer: push_weights and push_samples."""
