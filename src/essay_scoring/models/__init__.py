"""Floor 4: scorers, their weights and their mappings to the score scale."""
