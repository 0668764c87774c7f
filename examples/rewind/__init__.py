"""A training that turns, is put back before it did, and goes on with a penalty."""
