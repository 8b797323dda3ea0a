"""Where products cut a line that is too long for them, so that a cut event is recognized by its length."""

from __future__ import annotations

import re

TRUNCATED = b"[Truncated...]"  # written by EKS where it has cut a message at 10,000 characters
LOST = "the rest of this event is lost"
_TAIL = re.compile(rb"\[?Truncated\.{3}\]?\s*$", re.IGNORECASE)
_KIB = 1024
_CUTS = (  # the longest text that is left, how much shorter it may be, and who cuts there
    (10_000, 16, "Amazon CloudWatch cuts at 10,000 characters"),
    (16 * _KIB, 256, "containerd, Docker, syslog and Azure's diagnostic settings cut at 16 KiB"),
    (32_766, 16, "Azure's AzureDiagnostics table cuts at 32,766 bytes"),
    (64 * _KIB, 256, "rsyslog, journald and Splunk's forwarders can be set to cut at 64 KiB"),
    (256 * _KIB, 256, "Amazon CloudWatch and Loki cut at 256 KiB"),
    (1024 * _KIB, 256, "Amazon CloudWatch cuts at 1 MiB"),
)


def why_cut(*texts: bytes) -> str:
    """Why a text ends within its JSON; ``texts`` are the event's own text, and the line around it.

    Both are looked at, since some products count what they write before the event, too.
    """
    for text in texts:
        if _TAIL.search(text):
            return f"Amazon CloudWatch cut it at 10,000 characters ([Truncated...]): {LOST}"
        # Some products count characters, others bytes.
        for length in (len(text.decode(errors="replace").rstrip("\r\n")), len(text.rstrip(b"\r\n"))):
            for longest, less, who in _CUTS:
                if longest - less <= length <= longest:
                    return f"it is cut after {length:,} characters ({who}): {LOST}"
    return f"it ends within its JSON, after {len(texts[0].rstrip()):,} bytes: {LOST}"
