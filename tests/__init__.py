"""The tests. A package, because others install one of this name, which would hide a folder without it."""
