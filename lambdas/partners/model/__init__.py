"""What partners are, as the mock plays them: their contracts, and answers that a test chose."""
