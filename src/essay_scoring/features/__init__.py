"""Floor 3: essays to named columns."""
