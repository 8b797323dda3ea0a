"""The MCP server, called as an assistant calls it: by the SDK's own client, in memory and as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

from auditproof import __version__
from auditproof.cli.exit_codes import ExitCode
from auditproof.mcp_server.models import MOST
from auditproof.mcp_server.server import TOOLS, build, call
from auditproof.mcp_server.tools import MOST_TEXT
from auditproof.mcp_server.workspace import MOST_BYTES, Workspace
from tests.support.pages import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp_types import CallToolResult

OLD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n"
NEW = OLD.replace(
    "rules:\n", "rules:\n- level: None\n  resources: [{group: '', resources: [pods/exec, pods/attach]}]\n"
)
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\ndata:\n  policy.yaml: |\n" + "".join(
    f"    {x}\n" for x in OLD.splitlines()
)
RULE = """\
title: Exec into a pod
logsource: {product: kubernetes, service: audit}
detection: {selection: {objectRef.subresource: exec}, condition: selection}
level: high
"""
REQUIREMENTS = """\
apiVersion: auditproof/v1
kind: Requirements
title: Ours
requirements:
  - id: exec-is-seen
    title: Every exec is recorded
    for: [{resources: [pods/exec]}]
    level: {atLeast: Metadata}
    because: we want to know
    source: our own
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the server is started in, with a secret next to it."""
    there = tmp_path / "repository"
    (there / "rules").mkdir(parents=True)
    (there / "old.yaml").write_text(OLD)
    (there / "new.yaml").write_text(NEW)
    (there / "rules" / "exec.yml").write_text(RULE)
    (tmp_path / "outside.yaml").write_text(OLD + "# secret\n")
    (there / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    monkeypatch.chdir(there)
    return there


def ask(folder: Path, name: str, **arguments: Any) -> CallToolResult:
    """The result of a tool, called in memory; what is structured has the form that the tool promises."""
    result = call(Workspace(folder), name, arguments)
    if not result.is_error:
        Draft202012Validator(TOOLS[name].returns.model_json_schema(by_alias=True, mode="serialization")).validate(
            result.structured_content
        )
    return result


def told(folder: Path, name: str, **arguments: Any) -> dict[str, Any]:
    result = ask(folder, name, **arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


def refused(folder: Path, name: str, **arguments: Any) -> str:
    """The text of the error of a tool."""
    result = ask(folder, name, **arguments)
    assert result.is_error, result
    assert "Traceback" not in text_of(result)
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text


def configurations() -> list[dict[str, Any]]:
    """How the clients of docs/mcp.md are told to start the server."""
    blocks = [json.loads(block.text) for block in BLOCKS if block.page == "docs/mcp.md" and block.language == "json"]
    return [one["auditproof"] for block in blocks for one in block.values()]


def within(session: Callable[[Client], Awaitable[None]], client: Client) -> None:
    """Run a session of the SDK's client, in a thread: a browser of other tests may have an event loop in this one."""

    async def main() -> None:
        async with client as connected:
            await session(connected)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, main()).result()


def test_an_assistant_checks_a_draft_in_one_session_of_a_real_process(folder: Path) -> None:
    """Every tool and resource over standard input and output, where only the protocol is written."""

    async def session(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"lint", "explain", "diff", "requirements", "detections", "describe"}
        for tool in tools.values():
            assert tool.description
            assert tool.annotations
            assert tool.annotations.read_only_hint
            assert tool.output_schema
            Draft202012Validator.check_schema(tool.input_schema)

        draft = NEW.replace("pods/exec", "pod/exec")
        found = await client.call_tool("lint", {"policy": draft})
        assert found.structured_content
        finding = found.structured_content["findings"][0]
        assert (finding["code"], finding["line"]) == ("AP306", 6)
        explained = await client.read_resource(f"auditproof://lint/{finding['code']}")
        assert finding["code"] in explained.contents[0].text

        lost = await client.call_tool("diff", {"oldPath": "old.yaml", "new": NEW})
        assert lost.structured_content
        assert lost.structured_content["kinds"] == {"stops being recorded": 1}
        assert "old.yaml → new: 1 change" in text_of(lost)
        seen = await client.call_tool(
            "explain", {"policyPath": "new.yaml", "user": "alice", "verb": "create", "resource": "pods/exec"}
        )
        assert seen.structured_content
        assert (seen.structured_content["recorded"], seen.structured_content["rule"]) == (False, 1)
        unmet = await client.call_tool("requirements", {"policyPath": "new.yaml", "requirements": ["cis"]})
        assert unmet.structured_content
        assert unmet.structured_content["unmet"] > 0
        fed = await client.call_tool(
            "detections", {"policyPath": "new.yaml", "basePath": "old.yaml", "rules": ["rules"]}
        )
        assert fed.structured_content
        assert fed.structured_content["rules"][0]["feed"] == "BLIND"
        page = await client.call_tool("describe", {"policyPath": "old.yaml"})
        assert page.structured_content
        assert page.structured_content["page"].startswith("# What this audit policy records")

        wrong = await client.call_tool("lint", {"policyPath": "../outside.yaml"})
        assert wrong.is_error
        addresses = {one.uri for one in (await client.list_resources()).resources}
        assert addresses >= {"auditproof://lint", "auditproof://schema/policy", "auditproof://requirements/cis"}
        schema = await client.read_resource("auditproof://schema/policy")
        Draft202012Validator(json.loads(schema.contents[0].text)).validate(
            {"apiVersion": "audit.k8s.io/v1"} | {"kind": "Policy", "rules": [{"level": "Metadata"}]}
        )
        with pytest.raises(MCPError, match="there is no resource auditproof://lint/AP999"):
            await client.read_resource("auditproof://lint/AP999")

    errors = folder / "stderr"
    with errors.open("w") as stderr:
        (configured, *_) = configurations()
        command = Path(sys.executable).with_name(configured["command"])
        parameters = StdioServerParameters(command=str(command), args=configured["args"], cwd=folder)
        within(session, Client(stdio_client(parameters, errlog=stderr)))
    assert errors.read_text() == ""


def test_an_interrupted_server_ends_although_its_client_has_not(folder: Path) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    server = subprocess.Popen(
        [sys.executable, "-m", "auditproof", "mcp"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdin
        assert server.stdout
        print("this is no message", file=server.stdin)
        print(json.dumps(message), file=server.stdin, flush=True)
        for line in server.stdout:
            if "instructions" in line:
                break
        server.send_signal(signal.SIGINT)

        assert server.wait(timeout=30) == ExitCode.INTERRUPTED


def test_every_configuration_that_is_documented_starts_this_command() -> None:
    found = configurations()

    assert len(found) == 3
    assert all([one["command"], *one["args"]][-2:] == ["auditproof", "mcp"] for one in found)
    assert next(one for one in found if one["command"] == "uvx")["args"][:2] == ["--from", "auditproof[mcp]"]


def test_the_server_tells_what_it_is_and_how_to_use_it(folder: Path) -> None:
    async def session(client: Client) -> None:
        assert client.server_info.name == "auditproof"
        assert client.server_info.version == __version__
        assert client.instructions
        assert "auditproof://lint/CODE" in client.instructions
        assert all(name in client.instructions for name in ("lint", "diff", "requirements", "explain", "detections"))

    within(session, Client(build(folder)))


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("../outside.yaml", "../outside.yaml is outside of"),
        ("/etc/passwd", "/etc/passwd is outside of"),
        ("~/.kube/config", "~/.kube/config is outside of"),
        ("link.yaml", "link.yaml is outside of"),
        ("link.yaml#data.policy", "is outside of"),
        ("rules/../../outside.yaml", "is outside of"),
        ("git:HEAD:old.yaml", "git:HEAD:old.yaml: no such file"),
        ("-", "-: no such file"),
        ("*.yaml", "*.yaml: no such file"),
        ("rules", "rules is no ordinary file"),
        ("pipe", "pipe is no ordinary file"),
        ("large.yaml", "large.yaml has more than 4 MiB, and is not read"),
        ("odl.yaml", "odl.yaml: no such file in"),
        ("\0", "no such file"),
        ("x" * 5000, "no such file"),
    ],
)
def test_no_path_leads_out_of_the_folder(folder: Path, path: str, error: str) -> None:
    os.mkfifo(folder / "pipe")
    with (folder / "large.yaml").open("wb") as large:
        large.truncate(MOST_BYTES + 1)

    assert error in refused(folder, "lint", policyPath=path)


def test_a_document_that_names_a_policy_outside_does_not_open_it(folder: Path) -> None:
    """As the manifest of a static pod names the policy next to it: here that is a link that leads out."""
    (folder / "pod.yaml").write_text(
        "spec: {containers: [{command: [kube-apiserver, --audit-policy-file=/x/link.yaml]}]}"
    )

    assert "secret" not in refused(folder, "describe", policyPath="pod.yaml")


@pytest.mark.parametrize(("tool", "argument"), [("detections", "rules"), ("requirements", "requirements")])
def test_rules_and_requirements_are_read_in_the_folder_alone(folder: Path, tool: str, argument: str) -> None:
    (folder / "rules" / "link.yml").symlink_to(folder.parent / "outside.yaml")

    for path in ("..", "../outside.yaml", "link.yaml", "rules", "/etc"):
        assert "is outside of" in refused(folder, tool, policy=OLD, **{argument: [path]})


def test_a_requirement_refers_to_no_policy_outside(folder: Path) -> None:
    (folder / "ours.yaml").write_text(
        REQUIREMENTS.replace("level: {atLeast: Metadata}", "level: {atLeast: {policy: ../outside.yaml}}")
    )

    assert "secret" not in refused(folder, "requirements", policy=OLD, requirements=["ours.yaml"])


@pytest.mark.parametrize(
    ("tool", "arguments", "error"),
    [
        ("lint", {}, "give policy, the text of a policy, or policyPath, the path of its file: exactly one of the two"),
        ("lint", {"policy": OLD, "policyPath": "old.yaml"}, "exactly one of the two"),
        (
            "lint",
            {"polcy": OLD},
            "unknown argument polcy; did you mean policy?; known are kubernetes, policy, policyPath",
        ),
        ("lint", {"policy": 7}, "policy: Input should be a valid string"),
        ("lint", {"policy": OLD, "kubernetes": "latest"}, "kubernetes: invalid version 'latest' (expected one such as"),
        ("explain", {"policy": OLD}, "verb: Field required"),
        ("explain", {"policy": OLD, "verb": "get"}, "give resource, such as pods/exec, or path, such as /healthz"),
        (
            "explain",
            {"policy": OLD, "verb": "get", "resource": "pod"},
            "there is no resource 'pod': did you mean pods?",
        ),
        ("describe", {"policy": "kind: Policy"}, "policy:1:1: "),
        ("describe", {"policy": "a: [", "kubernetes": "1.36"}, "policy:2:1: not valid YAML"),
        ("diff", {"old": OLD}, "give new, the text of a policy, or newPath"),
        ("requirements", {"policy": OLD, "requirements": ["ciss"]}, "neither a file nor one of"),
        ("detections", {"policy": OLD, "rules": []}, "give rules: paths of files or folders with detection rules"),
        ("detections", {"policy": OLD, "rules": ["old.yaml"]}, "old.yaml: no detection rules here"),
        ("lnt", {}, "there is no tool 'lnt'; did you mean lint?"),
    ],
)
def test_bad_input_is_an_error_that_says_what_is_expected(
    folder: Path, tool: str, arguments: dict[str, Any], error: str
) -> None:
    assert error in refused(folder, tool, **arguments)


def test_a_fault_of_the_server_is_no_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The client gets a sentence, standard error the traceback."""
    monkeypatch.setattr("auditproof.analysis.lint.examine", lambda *_: 1 / 0)

    assert refused(folder, "lint", policy=OLD).startswith("internal error of auditproof in lint: please report it")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_policy_that_the_server_refuses_is_a_finding(folder: Path) -> None:
    found = told(folder, "lint", policy=OLD.replace("Metadata", "Metadta"))

    assert found["refused"]
    assert found["findings"][0]["code"] == "AP001"
    assert found["findings"][0]["line"] == 5


def test_a_policy_inside_a_document_is_taken_from_its_text_and_its_file(folder: Path) -> None:
    (folder / "cm.yaml").write_text(CONFIG_MAP)

    assert told(folder, "lint", policy=CONFIG_MAP)["total"] == 0
    assert told(folder, "lint", policyPath="cm.yaml#data.policy.yaml")["total"] == 0


def test_lists_may_be_given_as_text(folder: Path) -> None:
    """As some clients send them."""
    once = told(folder, "requirements", policy=OLD, requirements='["cis", "baseline"]')

    assert once == told(folder, "requirements", policy=OLD, requirements="cis, baseline")
    assert once == told(folder, "requirements", policy=OLD, requirements=["cis", "baseline"])


def test_own_requirements_are_checked_and_unmet_ones_come_first(folder: Path) -> None:
    (folder / "ours.yaml").write_text(REQUIREMENTS)

    found = told(folder, "requirements", policy=NEW, requirements=["baseline", "ours.yaml"])

    first = found["requirements"][0]
    assert (found["unmet"] > 0, first["met"]) == (True, False)
    assert "exec-is-seen" in {one["id"] for one in found["requirements"] if not one["met"]}
    assert all(one["violations"][0]["remedy"] for one in found["requirements"] if not one["met"])


def test_large_results_are_cut_and_counted(folder: Path) -> None:
    """Of many findings the first are listed, and the total says how many there are; a text ends with a count."""
    rules = "".join(
        f"- level: Metadata\n  users: [u{n}]\n  resources: [{{group: '', resources: [pod{n}]}}]\n" for n in range(300)
    )
    policy = OLD.replace("rules:\n", f"rules:\n{rules}")

    result = ask(folder, "lint", policy=policy)
    assert result.structured_content
    assert len(result.structured_content["findings"]) == MOST
    assert result.structured_content["total"] >= 300
    assert len(text_of(ask(folder, "explain", policy=policy, verb="get", user="x", resource="pods"))) < MOST_TEXT + 100
    page = told(folder, "describe", policy=policy.replace("pod", "pods/x"))
    assert len(page["page"]) < MOST_TEXT + 100
    assert not page["cut"] or "more lines of" in page["page"].splitlines()[-1]
