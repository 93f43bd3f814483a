"""What two or more services need: event contracts, messaging, HTTP, storage and the security context."""
