"""Sizes of files and disks as people read them."""


def readable(size: float) -> str:
    """``size`` bytes in the unit that suits it; a kB has 1000 bytes.

    >>> readable(143_456_789), readable(66_920_000_000), readable(43)
    ('143.5 MB', '66.9 GB', '43 B')
    """
    if size < 1000:
        return f"{size:.0f} B"
    unit = next((n for n in (1, 2) if size < 1000 ** (n + 1)), 3)
    return f"{size / 1000**unit:.1f} {('kB', 'MB', 'GB')[unit - 1]}"
