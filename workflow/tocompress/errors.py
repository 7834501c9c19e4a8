"""The one exception that users are meant to read."""


class StudyError(Exception):
    """Bad input, in one line: what is wrong, where, and what would be right."""
