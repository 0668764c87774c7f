"""Mode diversity D: nearest modes and their entropy."""
