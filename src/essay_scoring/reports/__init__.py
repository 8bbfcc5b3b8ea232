"""Floor 7: run folders to pages and figures. Computes nothing new."""
