"""Notifications: what people are told, and where they are reached."""
