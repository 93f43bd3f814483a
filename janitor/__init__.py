"""Finds stacks that nobody needs any more and removes them, within AWS's limits."""
