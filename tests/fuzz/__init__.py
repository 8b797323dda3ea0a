"""Every parser of ours fed with what nobody wrote on purpose (see CONTRIBUTING.md)."""
