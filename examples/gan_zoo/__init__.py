"""The GAN zoo: every training that the source documents name, in a few lines each.

`python -m examples.gan_zoo.train --help` runs them, watched by the two hook calls.
"""
