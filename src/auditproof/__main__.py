"""``python -m auditproof``."""

from auditproof.cli.main import main

raise SystemExit(main())
