"""The one exception meant for people.

Everything else that is raised is a bug and must surface as one.
"""


class ToytrainError(Exception):
    """Says in one sentence what is wrong and what to do.

    `field` names the Config field at fault, so that a page can show the sentence
    at that control and a command line at that option.
    """

    def __init__(self, message: str, field: str | None = None):
        super().__init__(message)
        self.field = field

    def __reduce__(self):
        # An exception crosses from a worker to the page by pickle, which would forget the field.
        return ToytrainError, (str(self), self.field)
