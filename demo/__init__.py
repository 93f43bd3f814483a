"""The platform's reason to exist, played end to end on a deployed stack."""
