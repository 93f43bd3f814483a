"""What a pipeline cannot go on with."""


class PipelineError(Exception):
    """Something a person must know about; its text is all they are shown."""
