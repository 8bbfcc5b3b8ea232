"""Predictions to numbers: agreement, resampling, tests, psychometrics. Imports only core."""
