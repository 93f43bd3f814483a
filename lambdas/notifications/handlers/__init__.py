"""Entry points: each parses and calls one use case."""
