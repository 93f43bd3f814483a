"""Entry points: each parses, calls one use case and answers."""
