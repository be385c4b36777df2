"""What a training step needs of memory, predicted without taking it."""
