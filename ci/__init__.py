"""What a pipeline decides: which jobs an event gets, whether a change needs a stack, which stacks a merge ends."""
