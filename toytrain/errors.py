"""The one exception meant for people.

Everything else that is raised is a bug and must surface as one.
"""


class ToytrainError(Exception):
    """Says in one sentence what is wrong and what to do.

    `field` names the Config field at fault, so that a page can show the sentence
    at that control and a command line at that option. `code` is one short word for the
    cause where a program must tell causes apart: of a refused file a value of
    `untrusted.Cause`, otherwise "".
    """

    def __init__(self, message: str, field: str | None = None, code: str = ""):
        super().__init__(message)
        self.field = field
        self.code = code

    def __reduce__(self):
        # An exception crosses from a worker to the page by pickle, which would forget these.
        return ToytrainError, (str(self), self.field, self.code)
