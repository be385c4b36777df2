"""The models that SPADE grew from, made of the same parts."""
