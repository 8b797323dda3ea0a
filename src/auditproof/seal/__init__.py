"""Files in the cache that only this user's auditproof can have written: a line with their seal, and their content.

The seal is an HMAC-SHA-256 with the user's key. It is compared before a byte of the content is interpreted. What is
sealed for one purpose is refused for another.
"""

from auditproof.seal.key import KeyRefused, key_file
from auditproof.seal.sealed_file import SealRefused, read_sealed, write_sealed

__all__ = ["KeyRefused", "SealRefused", "key_file", "read_sealed", "write_sealed"]
