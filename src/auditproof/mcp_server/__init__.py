"""An MCP server (Model Context Protocol): lets an assistant check a policy before anybody relies on it.

Its tools only read and compute: policies come as text, or from files in the folder that the server was started in.
``server`` alone imports the SDK, which is an optional dependency (the extra ``mcp``).
"""
