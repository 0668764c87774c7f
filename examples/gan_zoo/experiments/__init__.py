"""The papers' experiments: many trainings of the zoo, watched, recorded and put into tables."""
