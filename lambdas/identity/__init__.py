"""Sessions, registration and credentials: who a household is and what it may call."""
