"""Sizes of files as people read them."""


def megabytes(size: int) -> str:
    """``size`` bytes in MB (of 1,000,000 bytes).

    >>> megabytes(143_456_789)
    '143.5 MB'
    """
    return f"{size / 1e6:.1f} MB"
