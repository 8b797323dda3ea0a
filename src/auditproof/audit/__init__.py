"""What an audit policy decides, and the events that an API server writes by it. Pure."""
