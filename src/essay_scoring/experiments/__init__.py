"""Floor 6: the floors below put together into runs, studies and decisions."""
