"""A run as one file: written, checked, imported all or nothing (docs/archive-format.md)."""
