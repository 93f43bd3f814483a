"""What an operator is told when something does not work."""


class OperateError(Exception):
    """Something an operator must know about; its text is all they are shown."""
