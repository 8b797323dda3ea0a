"""``python -m auditproof``."""

from auditproof.cli import main

raise SystemExit(main())
