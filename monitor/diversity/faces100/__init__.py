"""The demo's embedder: a small ArcFace network and the 100 faces it tells apart."""
