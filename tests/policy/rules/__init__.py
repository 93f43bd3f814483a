"""What must hold of every plan. A rule yields a sentence for each resource that breaks it."""
