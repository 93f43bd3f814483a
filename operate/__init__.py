"""What an operator has at hand: dead letters and error reports of a stack, on the command line."""
