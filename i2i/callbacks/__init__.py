"""What is done beside training: previews."""
