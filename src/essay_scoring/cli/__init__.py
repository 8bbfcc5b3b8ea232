"""Floor 8: parse, call one function, print."""
