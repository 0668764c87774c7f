"""Embedders for domains without a pretrained network: trained on a labelled folder."""
