"""What an operator has at hand on the command line: dead letters, error reports, the audit and secrets of a stack."""
