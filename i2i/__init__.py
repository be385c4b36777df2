"""i2i: semantic image synthesis, from a label map to a photograph."""

__version__ = "0.1.0"
