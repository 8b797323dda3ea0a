"""Opens what holds audit events, in whatever form it was exported, and says which form that was. Pure.

One module for each family: ``text`` (compression and encodings), ``documents`` (JSON in lines, lists and over many
lines), ``yaml_documents``, ``prefixes`` (what a collector writes before the event), ``envelopes`` (events in other
JSON), ``other_logs`` (what holds no audit event), ``cuts`` and ``fields`` (what a pipeline has cut off or left out).
"""

from auditproof.auditlog.forms.opened import Opened, Passed, Refused, UnwrappedEvent
from auditproof.auditlog.forms.opening import Opening

__all__ = ["Opened", "Opening", "Passed", "Refused", "UnwrappedEvent"]
