"""The commands of the `i2i` program, one file each."""
