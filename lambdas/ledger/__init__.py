"""The ledger: double entry, plans, credit and statements."""
