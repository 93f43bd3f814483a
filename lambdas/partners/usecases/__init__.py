"""What the service does for partners, and in their place."""
