"""What the hooks cost a training, beside what its author would otherwise run; see __main__."""
