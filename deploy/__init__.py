"""Takes a stack to a cloud and away again."""
