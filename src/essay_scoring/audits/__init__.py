"""What is wrong with a finished run: fairness, length, leaks, attacks, explanations."""
