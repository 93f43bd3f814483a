"""Payments: what providers notify, matched to the devices it was paid for."""
