"""JSON bodies of responses: a missing key is an error of the response, which names it. Standard library only."""

from __future__ import annotations

import json
from typing import Any

from auditproof.errors import WireError


class JsonObject(dict[str, Any]):
    """An object of a response. A key that it lacks raises WireError, because a server or proxy left it out."""

    def __missing__(self, key: str) -> Any:
        """Report the key and the keys that are there."""
        raise WireError(f"the API server's response has no {key!r} where it must: found {', '.join(self) or 'nothing'}")


def json_object(body: bytes) -> JsonObject:
    """Return the object that ``body`` is. Raises WireError if it is not JSON, or not an object."""
    try:
        found = json.loads(body, object_hook=JsonObject)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the API server responded with a body that is not JSON: {error}") from None
    if not isinstance(found, JsonObject):
        raise WireError(f"the API server responded with a JSON {type(found).__name__}, not with an object")
    return found
