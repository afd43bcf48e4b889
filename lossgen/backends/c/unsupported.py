"""Why a loss has no C kernel."""


class Unsupported(Exception):
    """A loss is not of the form that kernels are written for; the text says what it does."""
