"""Where the models and reference sets lie that ship with this package."""

from pathlib import Path

#: Folder of `faces100.onnx` and its reference set.
DATA = Path(__file__).parent / "data"
