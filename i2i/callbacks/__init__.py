"""What is done beside training: previews, figures, checkpoints, statistics, progress."""
