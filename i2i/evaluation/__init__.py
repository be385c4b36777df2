"""A model on a split: its pictures, the figures that are asked for, and how they were measured."""
