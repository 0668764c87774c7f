"""What S, Q and D cost, beside what one would otherwise run."""
