"""Painting procedural landscapes: what is where, under which light, and how each kind of thing looks."""
