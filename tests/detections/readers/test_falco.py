"""Rules of Falco on audit events, read into conditions.

What Falco does in the cases below follows from its source: the parser and the comparisons of falcosecurity/libs, the
extraction of fields in falcosecurity/plugins (plugins/k8saudit, plugins/json), the loader of falcosecurity/falco.
"""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditproof.detections import FALSE, TRUE, Detection, NotRead, load_rules, matches
from auditproof.detections.readers.falco import is_falco, read_falco
from auditproof.detections.readers.falco.patterns import glob, path_prefix, posix_regex
from auditproof.detections.readers.falco.unreadable import Unreadable
from auditproof.errors import NotYaml, SourceError

if TYPE_CHECKING:
    from auditproof.detections import Condition

FOLDER = Path(__file__).parent.parent / "rules/falco"
POD = {
    "hostPID": True,
    "securityContext": {"runAsUser": 999, "supplementalGroups": [1, 2]},
    "containers": [
        {
            "name": "web",
            "image": "registry.test:5000/shop/web:1.2",
            "command": ["sh", "-c"],
            "args": ["id"],
            "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 8081}],
            "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN", "NET_RAW"]}},
        },
        {"name": "log", "image": "shop/log@sha256:00", "securityContext": {"privileged": False}},
    ],
    "initContainers": [{"name": "init", "image": "shop/init"}],
    "volumes": [{"name": "a", "hostPath": {"path": "/etc"}}, {"name": "b", "emptyDir": {}}],
}
EVENT = {
    "auditID": "7",
    "stage": "ResponseComplete",
    "verb": "create",
    "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=%2Fbin%2Fsh&command=-c&tty=true",
    "user": {"username": "Eve", "groups": ["dev", "system:authenticated"]},
    "userAgent": "curl/8",
    "sourceIPs": ["10.0.0.1"],
    "objectRef": {"resource": "pods", "namespace": "shop", "name": "web"},
    "responseStatus": {"code": 201},
    "annotations": {"authorization.k8s.io/decision": "allow"},
    "requestObject": {"metadata": {"labels": {"a/b": "c"}}, "spec": POD},
    "responseObject": {"metadata": {"name": "web-1"}},
}
BINDING = {
    "subjects": [
        {"kind": "User", "name": "eve"},
        {"kind": "ServiceAccount", "name": "default", "namespace": "shop"},
        {"kind": "Group", "name": "dev"},
    ],
    "roleRef": {"name": "admin"},
}
ROLE = {"rules": [{"resources": ["pods"], "verbs": ["get"]}, {"resources": ["*"], "verbs": ["create"]}]}


def rule(condition: str, more: str = "") -> str:
    indented = "".join(f"\n      {line}" for line in condition.splitlines() or [""])
    return f"""
- rule: Tried
  desc: A rule.
  condition: |{indented}
  output: Something
  priority: WARNING
  source: k8s_audit
{more}"""


def read(*texts: str) -> Detection | NotRead:
    [found], _ = read_falco([(f"{number}.yaml", text) for number, text in enumerate(texts)], "tests")
    return found


def condition_of(*texts: str) -> Condition:
    found = read(*texts)
    assert isinstance(found, Detection), found
    return found.steps[0]


def with_body(body: Any) -> dict[str, Any]:
    return {**EVENT, "requestObject": body}


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        # Every field of an event is text.
        ("ka.verb=create", True),
        ("ka.verb = 'create' and ka.verb == \"create\"", True),
        ("ka.response.code startswith 2", True),
        ("ka.response.code = 201 and ka.response.code >= 200 and ka.response.code < 300", True),
        ("ka.response.code in (200, 201)", True),
        ("ka.req.pod.host_pid = true", True),
        ("ka.user.name = eve", False),
        ("ka.user.name icontains EV and ka.user.name iglob e*", True),
        ("tolower(ka.user.name) = eve and toupper(ka.user.name) in (EVE)", True),
        ("tolower(ka.user.name) = Eve", False),
        ("tolower(ka.user.name) != Eve", True),
        ("basename(ka.uri.param[command]) = sh", True),
        ("ka.useragent glob cur[kl]/?", True),
        ("ka.useragent glob *8 and not ka.useragent glob /*", True),
        ("ka.useragent regex curl", False),
        ("ka.useragent regex 'curl/[[:digit:]]+'", True),
        ("ka.req.pod.run_as_user < 1000", False),  # "999" comes after "1000"
        ("ka.req.pod.run_as_user >= 1000 and ka.req.pod.run_as_user <= 999", True),
        ("ka.req.pod.run_as_user > 999", False),
        # A field without a value compares false, whatever the operator.
        ("ka.target.subresource != exec", False),
        ("not ka.target.subresource = exec", True),
        ("ka.target.namespace != kube-system", True),
        ("ka.target.subresource exists", False),
        ("ka.impuser.name > 0 or ka.impuser.name regex .*", False),
        # not binds to the next check, and before or.
        ("not ka.verb = get and ka.verb = update", False),
        ("not (ka.verb = get and ka.verb = update)", True),
        ("ka.verb = create or ka.verb = get and ka.verb = update", True),
        ("not not ka.verb=create and not(ka.verb=get)", True),
        # Lists: all values are in, or one is.
        ("ka.user.groups in (dev)", False),
        ("ka.user.groups in (dev, system:authenticated, more)", True),
        ("ka.user.groups intersects (dev)", True),
        ("ka.user.groups in ()", False),
        ("ka.verb in ()", False),
        ("not ka.verb in ()", True),
        ("ka.req.pod.ephemeralContainers.image in (a)", False),
        ("ka.verb intersects (get, create)", True),
        # Modifiers of operators.
        ("ka.verb startswith anyof (x, cr)", True),
        ("ka.verb contains allof (cr, ea)", True),
        ("ka.verb contains oneof (cr, ea)", False),
        ("ka.verb != anyof (create, get)", True),
        ("ka.verb != allof (create, get)", False),
        ("ka.verb = allof ()", False),
        # pmatch compares paths part by part.
        ("ka.uri pmatch (/api/v1/namespaces)", True),
        ("ka.uri pmatch (/api/v1/name, /apis)", False),
        ("ka.uri pmatch (/api/*/namespaces)", True),
        ("ka.uri pmatch (/)", True),
        # Fields that are derived.
        ("ka.uri.param[command] = /bin/sh and ka.uri.param[tty] = true", True),
        ("ka.uri.param[none] exists", False),
        ("ka.uri.param[command] = -c", False),  # only the first value counts
        ("ka.auth.decision = allow", True),
        ("ka.target.pod.name = web-1", True),
        ("ka.resp.name = web-1 and ka.target.name = web", True),
        ("ka.req.pod.containers.image.repository intersects (registry.test, shop/log)", True),
        ("ka.req.pod.containers.image.repository intersects (registry.test:5000/shop/web)", False),
        ("ka.req.container.image.repository = registry.test", True),
        ("ka.req.pod.containers.image[1] in (shop/log@sha256:00)", True),
        ("ka.req.pod.containers.image[2] exists", False),
        ("ka.req.pod.initContainers.image intersects (shop/init)", True),
        ("ka.req.pod.containers.privileged intersects (true)", True),
        ("ka.req.pod.containers.privileged in (true)", False),
        ("ka.req.container.privileged = true", True),
        ("ka.req.container.privileged != true", False),
        ("ka.req.pod.containers.command intersects ('sh -c')", True),
        ("ka.req.pod.containers.args intersects (id)", True),
        ("ka.req.pod.containers.host_port in (80, 8081)", True),
        ("ka.req.pod.containers.add_capabilities intersects (SYS_ADMIN)", False),
        ("""ka.req.pod.containers.add_capabilities intersects ('["SYS_ADMIN","NET_RAW"]')""", True),
        ("ka.req.pod.containers.eff_run_as_user in (0)", True),
        ("ka.req.pod.containers.eff_run_as_user[0] exists", False),
        ("ka.req.pod.supplemental_groups intersects (2)", True),
        ("ka.req.pod.volumes.hostpath intersects (/etc)", True),
        ("ka.req.pod.volumes.volume_type in (hostPath, emptyDir)", True),
        ("ka.req.volume.hostpath[/e*] = true", True),
        ("ka.req.volume.hostpath[/root] = false", True),
        ("ka.req.binding.subject.has_name[x] = true", True),
        ("ka.sourceips intersects (10.0.0.1)", False),
        ("evt.source = k8s_audit", True),
        # JSON pointers.
        ("jevt.value[/stage] in (ResponseComplete)", True),
        ("json.value[verb] = create", True),
        ("jevt.value[/annotations/authorization.k8s.io~1decision] = allow", True),
        ("jevt.value[/requestObject/metadata/labels/a~1b] exists", True),
        ("jevt.value[/requestObject/spec/containers/1/name] = log", True),
        ('jevt.value[/requestObject/metadata/labels] = \'{"a/b":"c"}\'', True),
        ("jevt.value[/requestObject/metadata/labels] contains a/b", True),
        ("jevt.value[/requestObject/metadata/labels] != x", True),
        ("jevt.value[/requestObject/metadata/labels] startswith '{'", True),
        ("jevt.obj contains SYS_ADMIN and not jevt.obj contains SYS_TIME", True),
        # Clocks are never 0.
        ("jevt.rawtime exists and not jevt.rawtime=0", True),
        ("evt.num >= 0 and evt.num > 0 and not evt.num = 0", True),
        # Quotes and escapes.
        (r"""jevt.value["/annotations/a\"b"] exists or ka.verb = oneof""", False),
        (r'ka.useragent = "curl\/8" and ka.useragent != "\x41\"a"', True),
    ],
)
def test_a_condition_is_true_of_an_event_as_in_falco(condition: str, true: bool) -> None:
    assert matches(condition_of(rule(condition)), EVENT) is true
    assert matches(condition_of(rule(f"not ({condition})")), EVENT) is not true


@pytest.mark.parametrize(
    ("condition", "body", "true"),
    [
        ("ka.req.binding.role = admin", BINDING, True),
        ("ka.req.binding.subjects.user_names in (eve)", BINDING, True),
        ("ka.req.binding.subjects.group_names intersects (dev)", BINDING, True),
        ("ka.req.binding.subjects.serviceaccount_names intersects (default)", BINDING, True),
        ("ka.req.binding.subjects.serviceaccount_ns_names intersects (shop:default)", BINDING, True),
        ("""ka.req.binding.subjects intersects ('{"kind":"User","name":"eve"}')""", BINDING, True),
        ("ka.req.role.rules.resources intersects ('*')", ROLE, True),
        ("ka.req.role.rules.verbs[0] in (get)", ROLE, True),
        ("ka.req.role.rules.verbs in (get)", ROLE, False),
        ("ka.req.configmap.obj contains password", {"data": {"password": "x"}}, True),
        ("ka.req.service.type = NodePort", {"spec": {"type": "NodePort"}}, True),
        ("""ka.req.service.ports intersects ('[{"port":80}]')""", {"spec": {"ports": [{"port": 80}]}}, True),
        # One container without an image, and the plugin returns no image at all.
        ("ka.req.pod.containers.image exists", {"spec": {"containers": [{"image": "a"}, {"name": "b"}]}}, False),
        ("ka.req.container.privileged = false", {"spec": {"containers": []}}, True),
        ("ka.req.container.privileged exists", {}, False),
    ],
)
def test_a_condition_reads_bodies_as_the_plugin_extracts_them(condition: str, body: Any, true: bool) -> None:
    assert matches(condition_of(rule(condition)), with_body(body)) is true


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("ka.user.nam = eve", 'ka.user.nam is no field of Falco\'s audit events; did you mean "ka.user.name"?'),
        ("proc.name = sh", "proc.name is no field"),
        ("evt.time = 3", "evt.time depends on Falco and its machine"),
        ("jevt.rawtime = 1700000000000000000", "jevt.rawtime, which differs each time"),
        ("ka.user.groups = dev", "Falco refuses = on ka.user.groups, which is a list"),
        ("ka.verb bcontains 6465", "Falco refuses bcontains on ka.verb"),
        ("ka.user.name = val(ka.target.name)", "compares ka.user.name with another field"),
        ("ka.user.name = tolower(ka.target.name)", "compares ka.user.name by tolower()"),
        ("len(ka.user.name) > 3", "transforms a field by len()"),
        ("b64(ka.user.name) = x", "transforms a field by b64()"),
        ("tolower(toupper(ka.user.name)) = x", "transforms a field by tolower()"),
        ("join(',', (ka.verb, ka.uri)) = x", "transforms a field by join()"),
        ("basename(ka.uri) contains x", "compares basename() by contains"),
        ("tolower(ka.uri) regex x", "compares tolower() by regex"),
        ("tolower(ka.uri) = é", "case of letters outside ASCII in é"),
        (r"ka.uri regex '\\d+'", r'the regex "\d+" has \d, which is not POSIX syntax'),
        ("ka.uri regex (a", 'cannot read the condition at "(a"'),
        ("ka.uri regex '(?i)a'", "has a group (?...)"),
        ("ka.uri regex 'a**'", "has a repetition of a repetition, **"),
        ("ka.uri regex 'a{1,1001}'", "repeats more than 1000 times, {1,1001}"),
        ("ka.uri regex '[a'", "has no ] for the ["),
        (r"ka.uri = '\q'", r"has the escape \q"),
        ("ka.uri.param = x", "ka.uri.param needs an argument in brackets"),
        ("jevt.value['/a b'] = x", "a blank or a ]"),
        ("ka.verb[0] = x", "the argument of ka.verb is [0]; expected none"),
        ("ka.req.pod.containers.image[01] exists", "expected an index such as [0]"),
        ("jevt.value[/requestObject/*] exists", "has the key *"),
        ("jevt.obj = x", "compares the text of the whole event (jevt.obj)"),
        ("unknown_macro", 'no macro has the name "unknown_macro"'),
        ("ka.verb", 'cannot read the condition at its end: expected "exists" or an operator'),
        ("ka.verb = a b", 'cannot read the condition at "b"'),
        ("val(ka.verb) = a", 'cannot read the condition at "(ka.verb) = a"'),
        ("ka.verb = oneof(a)", 'cannot read the condition at "(a)"'),
        ("ka.verb = a orka.uri = b", 'cannot read the condition at "orka.uri = b"'),
        ("(ka.verb = a", "cannot read the condition at its end"),
        ("ka.verb contains", "cannot read the condition"),
    ],
)
def test_what_falco_refuses_or_an_event_does_not_decide_is_not_read_with_the_reason(
    condition: str, reason: str
) -> None:
    found = read(rule(condition))
    assert isinstance(found, NotRead)
    assert reason in found.reason
    assert str(found.position) == "0.yaml:2:3"


def test_the_files_of_a_pack_are_read_in_full() -> None:
    files = [(name, (FOLDER / name).read_text()) for name in ("shop_rules.yaml", "shop_rules_local.yaml")]
    assert all(is_falco(text) for _, text in files)
    found, others = read_falco(files, "shop")
    rules = {one.title: one for one in found if isinstance(one, Detection)}
    assert len(rules) == len(found) == 5
    assert others == 1
    assert rules["Shell in a Pod"].tags == ("attack.t1609",)
    assert rules["Shell in a Pod"].severity == "CRITICAL"
    assert rules["Stranger Changes Something"].tags == ("shop", "attack.persistence", "attack.t1098")
    assert rules["Everything"].steps == (FALSE,)
    assert rules["Everything"].remarks == ("no event meets its condition, because of the macro never",)
    assert rules["Secret Read"].enabled
    stranger, near = rules["Stranger Changes Something"].steps[0], rules["Pod Near the Host"].steps[0]
    assert matches(stranger, EVENT)
    for name in ("odile", "oskar of night shift", "ci-bot", "system:node:a"):
        assert not matches(stranger, {**EVENT, "user": {"username": name}})
    assert matches(near, EVENT)
    assert matches(near, {**EVENT, "verb": "update"})
    trusted = {"hostPID": True, "containers": [{"image": "registry.shop/agent:1"}]}
    assert not matches(near, with_body({"spec": trusted}))


def test_a_file_that_cannot_be_read_does_not_keep_a_folder_from_being_read(tmp_path: Path) -> None:
    for number, text in enumerate([rule("ka.verb exists"), "- rule: ["]):
        (tmp_path / f"{number}.yaml").write_text(text)
    rules = load_rules([tmp_path])
    assert [one.title for one in rules.detections] == ["Tried"]
    assert ["did not find expected node content" in one.reason for one in rules.not_read] == [True]


def test_exceptions_are_what_a_rule_does_not_match() -> None:
    exceptions = """
  exceptions:
    - name: people_in_namespaces
      fields: [ka.user.name, ka.target.namespace]
      comps: [=, startswith]
      values: [[olga, sh], ["oskar of night shift", web]]
    - {name: agents, fields: [ka.useragent, ka.verb], comps: [endswith, in], values: [[/9, [get, list]]]}
    - {name: probes, fields: ka.useragent, values: [prober, "shop prober"]}
    - {name: nothing, fields: ka.verb}
"""
    more = "- rule: Tried\n  exceptions: [{name: probes, values: [late]}]\n  override: {exceptions: append}\n"
    condition = condition_of(rule("ka.verb exists or ka.uri exists", exceptions), more)
    olga = {**EVENT, "user": {"username": "olga"}}
    assert matches(condition, EVENT)
    assert not matches(condition, olga)
    assert matches(condition, {**olga, "objectRef": {"namespace": "web"}})
    assert not matches(condition, {**EVENT, "userAgent": "curl/9", "verb": "list"})
    assert not matches(condition, {**EVENT, "userAgent": "shop prober"})
    assert not matches(condition, {**EVENT, "userAgent": "late"})
    assert matches(
        condition_of(
            rule("ka.verb exists", exceptions),
            more.replace("append", "replace").replace("values: [late]", "fields: ka.verb, values: [late]"),
        ),
        olga,
    )


def test_conditions_that_are_the_same_for_every_event_are_constants() -> None:
    assert condition_of(rule("jevt.rawtime exists")) == TRUE
    assert condition_of(rule("ka.verb = get and jevt.rawtime=0")) == FALSE
    assert condition_of(rule("ka.verb = get or evt.num >= 0")) == TRUE


def test_a_list_is_replaced_wherever_its_name_stands_alone() -> None:
    lists = "- list: verbs\n  items: [get, more]\n- list: more\n  items: ['a b', x]\n- list: none\n  items: []\n"
    given = lists + rule("ka.verb in (none, verbs, list, none) and not ka.user.name in (none)")
    # The list more is defined after verbs, but replaced in the text all the same.
    assert str(condition_of(given)) == "verb = one of get, a b, x, list"


@pytest.mark.parametrize(
    ("condition", "remark"),
    [
        ("ka.sourceips exists", "Falco's plugin looks for ka.sourceips in requestObject.rules, where no address is"),
        ("ka.req.pod.containers.eff_run_as_user in (0)", "past the securityContext and finds 0 for every container"),
        ("ka.req.pod.containers.add_capabilities in (x)", "add_capabilities as the JSON text of a list"),
        ("ka.req.pod.run_as_user > 999", "ka.req.pod.run_as_user > 999 compares texts, not numbers"),
        (
            "ka.user.name in (trusted_users)",
            '"trusted_users" is compared as a text, because no list has this name; did',
        ),
        ("ka.verb = get and never", "no event meets its condition, because of the macro never"),
        ("not (ka.verb = get or always)", "no event meets its condition, because of the macro always"),
    ],
)
def test_what_falco_does_otherwise_than_a_rule_seems_to_say_is_remarked(condition: str, remark: str) -> None:
    names = """
- list: trusted_user
  items: [eve]
- macro: never
  condition: evt.num = 0
- macro: always
  condition: evt.num >= 0
"""
    found = read(names + rule(condition))
    assert isinstance(found, Detection)
    assert [remark in one for one in found.remarks] == [True]


def test_a_rule_of_another_source_is_counted_even_if_it_cannot_be_read() -> None:
    other = "- rule: A\n  condition: proc.name = sh\n- rule: B\n  condition: 3\n  source: aws_cloudtrail\n"
    assert read_falco([("a.yaml", other)], "tests") == ([], 2)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["- macro: a\n  condition: b\n", "- macro: b\n  condition: a\n", "- macro: a\n  condition: b\n", rule("a")],
         "refer to each other in a circle"),
        (["- macro: a\n  condition: b\n- macro: b\n  condition: ka.verb exists\n", rule("a")],
         "the macro a (0.yaml:1:3) cannot be used: it refers to the macro b, which is defined only after it"),
        (["- macro: a\n  condition: 'ka.verb ='\n", rule("a")], "the macro a (0.yaml:1:3) cannot be used: Falco"),
        (["- macro: a\n  condition: [x]\n", rule("a")], "its condition is missing, empty or no text"),
        (["- macro: alpha\n  condition: ka.verb exists\n", rule("alhpa")], 'did you mean "alpha"?'),
        (["- list: a\n  items: x\n", rule("ka.verb in (a)")], "the list a (0.yaml:1:3) cannot be used: its items"),
        (["- list: a\n  append: true\n  items: [x]\n", rule("ka.verb in (a)")], "not defined before"),
        (["- rule: Tried\n  append: true\n  source: k8s_audit\n  condition: and x\n"], "no file before it defines"),
        ([rule("ka.verb exists").replace("priority: WARNING", "priority: LOUD")], "its priority is LOUD"),
        ([rule("ka.verb exists").replace("output", "ouput")], 'it has no output, without which Falco refuses it; is'),
        ([rule("ka.verb exists", "  tags: x\n")], "its tags is missing or no list of texts"),
        ([rule("ka.verb exists", "  enabled: maybe\n")], "its enabled is maybe; expected true or false"),
        ([rule("ka.verb exists", "  exceptions: [{name: a, fields: [ka.verb], values: [[a, b]]}]\n")], "not as many"),
        ([rule("ka.verb exists", "  exceptions: [{name: a}]\n")], "its exception a has no fields"),
        ([rule("ka.verb exists", "  exceptions: [{name: a, fields: ka.verb, comps: '='}]\n")], "expected comps: in"),
        ([rule("ka.verb exists"), "- rule: Tried\n  condition: x\n  override: {condition: prepend}\n"],
         'in 1.yaml:1:3, "override" has condition: prepend; expected append or replace'),
        ([rule("ka.verb exists"), rule("ka.verb exists").replace("k8s_audit", "syscall")],
         "in 1.yaml:2:3, its source changes from k8s_audit to syscall"),
        ([rule("ka.verb exists"), "- rule: Tried\n  condition: and\n  append: true\n"], 'at "and"'),
    ],
)  # fmt: skip
def test_a_fault_of_a_file_makes_the_rules_that_depend_on_it_not_read(files: list[str], reason: str) -> None:
    found = read(*files)
    assert isinstance(found, NotRead)
    assert reason in found.reason


def test_an_item_that_is_no_rule_is_not_passed_over() -> None:
    found, others = read_falco([("a.yaml", "- rul: A\n  condition: x\n- 3\n")], "tests")
    assert [(str(one.position), one.reason) for one in found if isinstance(one, NotRead)] == [
        ("a.yaml:1:3", 'this is no rule, macro or list, such as "- rule: Name"; did you mean "rule"?'),
        ("a.yaml:3:3", 'this is no rule, macro or list, such as "- rule: Name"'),
    ]
    assert not others


def test_a_file_that_is_no_list_of_rules_is_refused_with_its_position() -> None:
    with pytest.raises(NotYaml, match=r"a.yaml:2:1: not valid YAML"):
        read_falco([("a.yaml", "- rule: [")], "tests")
    with pytest.raises(SourceError, match=r"a.yaml:1:1: expected a list of rules"):
        read_falco([("a.yaml", "rule: x\n")], "tests")


def test_a_condition_that_expands_without_end_is_not_read() -> None:
    macros = "- macro: m0\n  condition: ka.verb = a\n" + "".join(
        f"- macro: m{at}\n  condition: (m{at - 1} and ka.uri = {at}) or (m{at - 1} and ka.uri = x{at})\n"
        for at in range(1, 20)
    )
    found = read(macros + rule("m19"))
    assert isinstance(found, NotRead)
    assert "more than 5000 checks" in found.reason
    assert "100 levels" in getattr(
        read(rule("(ka.verb=a or (ka.verb=b and " * 200 + "ka.uri=c" + "))" * 200)), "reason", ""
    )


def test_patterns_of_falco_become_those_of_conditions() -> None:
    assert glob(r"a\*b*\\") == ("matches wildcard", r"a\*b*\\")
    assert posix_regex("a.b|[]x]{2}") == r"(?am)\A(?:a.b|[\]x]{2})\Z"
    assert path_prefix("usr//lib/") == r"(?s)\A/*usr/+lib(?:/.*)?\Z"


@given(st.text("ab*?[]!-\\\\/", max_size=7), st.text("ab*]-\\\\/", max_size=5))
@pytest.mark.skipif(sys.platform != "linux", reason="fnmatch(3) of another C library")
def test_a_glob_matches_what_fnmatch_does(pattern: str, text: str) -> None:
    try:
        condition = condition_of(rule(f'ka.verb glob "{_escaped(pattern)}"'))
    except AssertionError:
        return  # not read, which a test above shows the reasons for
    expected = ctypes.CDLL(None).fnmatch(pattern.encode(), text.encode(), 0) == 0
    assert matches(condition, {"verb": text}) is expected


@given(st.text("ab.*+?()[]{}^$|\\\\-12,:d", max_size=8), st.text("ab.d", max_size=4))
def test_a_regex_matches_what_re2_does(pattern: str, text: str) -> None:
    """RE2 accepts every pattern that is read, and finds the same in it."""
    re2 = pytest.importorskip("re2")
    options = re2.Options()
    options.posix_syntax = options.longest_match = True
    options.log_errors = False
    try:
        translated = posix_regex(pattern)
    except Unreadable:
        return
    assert bool(re.search(translated, text)) is bool(re2.compile(pattern, options).fullmatch(text))


_FIELDS = {"ka.verb": "verb", "ka.user.name": "user.username", "jevt.value[/stage]": "stage", "ka.uri": "requestURI"}
_TEXTS = st.text("ab/*?'\"\\ (),=é[", max_size=4)
_WORDS = st.sampled_from(["a", "b", "ab", "/a", "a.b"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


@st.composite
def _checks(draw: st.DrawFn) -> tuple[str, Any]:
    name = draw(st.sampled_from(sorted(_FIELDS)))
    operator = draw(st.sampled_from(["=", "!=", "contains", "startswith", "endswith", "in", "exists"]))
    values = draw(st.lists(_WORDS, min_size=1, max_size=3))

    def holds(event: dict[str, str]) -> bool:
        value = event.get(_FIELDS[name])
        if value is None:
            return False
        first = values[0]
        return {
            "=": value == first,
            "!=": value != first,
            "contains": first in value,
            "startswith": value.startswith(first),
            "endswith": value.endswith(first),
            "in": value in values,
            "exists": True,
        }[operator]

    if operator == "exists":
        return f"{name} exists", holds
    written = f"({', '.join(values)})" if operator == "in" else draw(st.sampled_from([values[0], _quoted(values[0])]))
    return f"{name} {operator} {written}", holds


def _combined(parts: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        parts.map(lambda one: (f"not ({one[0]})", lambda event: not one[1](event))),
        pairs.map(
            lambda two: (f"({two[0][0]}) and ({two[1][0]})", lambda event: two[0][1](event) and two[1][1](event))
        ),
        pairs.map(lambda two: (f"({two[0][0]} or {two[1][0]})", lambda event: two[0][1](event) or two[1][1](event))),
    )


@given(
    st.recursive(_checks(), _combined, max_leaves=8),
    st.fixed_dictionaries({}, optional=dict.fromkeys(_FIELDS.values(), _WORDS)),
)
def test_a_condition_printed_in_falcos_language_evaluates_alike(
    written: tuple[str, Any], values: dict[str, str]
) -> None:
    text, holds = written
    event: dict[str, Any] = {path: value for path, value in values.items() if "." not in path}
    if "user.username" in values:
        event["user"] = {"username": values["user.username"]}
    assert matches(condition_of(rule(text)), event) is holds(values)


@given(_TEXTS)
def test_any_text_in_quotes_is_compared_as_it_is(text: str) -> None:
    if text.endswith("\\"):
        text += "a"  # Falco ends a quoted text at a quote that no backslash is in front of
    condition = condition_of(rule(f"ka.verb = {_quoted(text)}"))
    assert matches(condition, {"verb": text})
    assert not matches(condition, {"verb": f"{text}x"})
