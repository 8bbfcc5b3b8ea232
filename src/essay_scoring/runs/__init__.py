"""Fits to run folders: cross-validation, parts, imports, the locked test."""
