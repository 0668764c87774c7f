"""Training stability S: angles between consecutive weight vectors."""
