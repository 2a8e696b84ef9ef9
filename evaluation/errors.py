"""The error that a person's input causes."""


class InputError(ValueError):
    """Wrong usage or input: one line that names the file, the field and the mend. Ends a command with status 2."""
