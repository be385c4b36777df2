"""Losses. Each returns an unweighted scalar; only the objective weighs them."""
