"""What payments does: takes what providers notify, and asks them for what households want to pay."""
