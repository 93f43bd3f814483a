"""The embedded cloud: MiniStack in a process of its own, its gaps filled, IAM enforced, loopback only."""
