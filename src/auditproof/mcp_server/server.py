"""The server: tools and resources as the protocol has them, over standard input and output. The only part with the SDK.

Sources: https://modelcontextprotocol.io/specification (tools, resources), and the SDK's lowlevel Server.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from mcp import MCPError
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    ListResourcesResult,
    ListToolsResult,
    ReadResourceResult,
    Resource,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ValidationError

from auditproof import __version__
from auditproof.errors import AuditproofError
from auditproof.mcp_server import models, tools
from auditproof.mcp_server.resources import readable, readables
from auditproof.mcp_server.workspace import Workspace
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_types import CallToolRequestParams, ReadResourceRequestParams

INSTRUCTIONS = """\
auditproof computes what a Kubernetes audit policy (audit.k8s.io/v1, kind: Policy) records. Such policies are easy to
get wrong: the first matching rule wins, pods does not cover pods/log, "*" in verbs is no wildcard, and a misspelt key
is ignored. So check every policy that you write or change, before you present it:

1. lint the draft, and fix every error and warning. The resource auditproof://lint/CODE explains a code.
2. If it replaces a policy, diff the two. Tell the user what the change loses, and which bodies it newly records.
3. Check the requirements that apply (baseline, if nothing else is said), and fix what is not met.
4. explain the requests that the user has asked for, and compare the level with what was wanted.
5. If there are detection rules for the log, check with detections that the policy still feeds them.

Give a policy as text, or as a path in the folder of this server. The answers cover every class of requests, and are
computed: nothing is sent to a cluster, and nothing is written. A proof on a real API server is the command
`auditproof run POLICY`; do not say that a policy is proven before it has passed.
"""
_READS_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool: what it takes and returns, and the function that does it."""

    title: str
    takes: type[BaseModel]
    returns: type[BaseModel]
    run: Callable[[Workspace, Any], tuple[BaseModel, str]]


TOOLS = {
    "lint": Offered("Find mistakes in an audit policy", models.PolicyInput, models.LintResult, tools.lint),
    "explain": Offered("Explain how a request is recorded", models.ExplainInput, models.ExplainResult, tools.explain),
    "diff": Offered("Compare two audit policies", models.DiffInput, models.DiffResult, tools.diff),
    "requirements": Offered(
        "Check requirements", models.RequirementsInput, models.RequirementsResult, tools.requirements
    ),
    "detections": Offered("Check detection rules", models.DetectionsInput, models.DetectionsResult, tools.detections),
    "describe": Offered("Describe an audit policy", models.PolicyInput, models.DescribeResult, tools.describe),
}


def serve(folder: Path) -> None:
    """Serve the client on standard input and output, until it closes the input; files are read below ``folder``."""

    async def main() -> None:
        server = build(folder)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(main)


def build(folder: Path) -> Server[Any]:
    """A server whose tools read files below ``folder``."""
    workspace = Workspace(folder)
    turn = anyio.CapacityLimiter(1)  # a computation uses one processor as it is

    async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[_tool(name, one) for name, one in TOOLS.items()])

    async def call_tool(_context: Any, params: CallToolRequestParams) -> CallToolResult:
        work = partial(call, workspace, params.name, params.arguments or {})
        return await run_sync(work, limiter=turn)

    async def list_resources(_context: Any, _params: Any) -> ListResourcesResult:
        found = readables().values()
        return ListResourcesResult(
            resources=[Resource(uri=one.uri, name=one.uri, title=one.title, mime_type=one.mime_type) for one in found]
        )

    async def read_resource(_context: Any, params: ReadResourceRequestParams) -> ReadResourceResult:
        try:
            found = readable(str(params.uri))
        except AuditproofError as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error)) from None
        content = TextResourceContents(uri=found.uri, text=found.text(), mime_type=found.mime_type)
        return ReadResourceResult(contents=[content])

    return Server(
        "auditproof",
        version=__version__,
        title="auditproof: what a Kubernetes audit policy records",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
    )


def call(workspace: Workspace, name: str, arguments: dict[str, Any]) -> CallToolResult:
    """The result of a tool, or an error in plain words; a fault of auditproof's own has its traceback on stderr."""
    try:
        if name not in TOOLS:
            raise AuditproofError(f"there is no tool {name!r}{did_you_mean(name, TOOLS, quote='')}")
        offered = TOOLS[name]
        result, text = offered.run(workspace, _validated(offered.takes, arguments))
    except AuditproofError as error:
        return _failed(tools.shortened(str(error))[0])
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return _failed(f"internal error of auditproof in {name}: please report it; its standard error has the details")
    structured = result.model_dump(mode="json", by_alias=True)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structured)


def _failed(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _validated(model: type[BaseModel], arguments: dict[str, Any]) -> BaseModel:
    """The arguments of a tool. Raises AuditproofError with all that is wrong with them."""
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise AuditproofError(
            "\n".join(_problem(model, one["type"], one["loc"], one["msg"]) for one in problems)
        ) from None


def _problem(model: type[BaseModel], kind: str, place: tuple[int | str, ...], text: str) -> str:
    name = ".".join(map(str, place))
    if kind != "extra_forbidden":
        return f"{name}: {text}"
    known = [field.alias or key for key, field in model.model_fields.items()]
    return f"unknown argument {name}{did_you_mean(name, known, quote='')}; known are {', '.join(known)}"


def _tool(name: str, offered: Offered) -> Tool:
    return Tool(
        name=name,
        title=offered.title,
        description=" ".join((offered.run.__doc__ or "").split()),
        input_schema=offered.takes.model_json_schema(by_alias=True),
        output_schema=offered.returns.model_json_schema(by_alias=True, mode="serialization"),
        annotations=_READS_ONLY,
    )
