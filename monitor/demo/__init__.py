"""A real GAN on real faces, to watch."""
