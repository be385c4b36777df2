"""How fast the fast paths are: interleaved runs in one process against the dense reference."""
