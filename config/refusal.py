"""What a person can mend."""


class RefusalError(Exception):
    """The work can't be done as things are: the message names the place and the cure.

    The command line tells it in a line, without a traceback.
    """
