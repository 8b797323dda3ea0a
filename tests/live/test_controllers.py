"""Which controller sends which requests: what the API server's own roles permit each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.space.client_request import performable
from auditproof.cases.case import Case
from auditproof.cases.expectation import Expectation
from auditproof.kube.attributes import Attributes, UserInfo
from auditproof.kube.controllers import CONTROLLERS
from auditproof.kube.discovery import load_served
from auditproof.kube.identity import Identity, IdentityKind
from tests.live.test_lint import ACCOUNT, prover_of

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.clusters.embedded import EmbeddedProvider

SERVED = load_served("1.37")
NAMELESS = ("create",)


def case_of(name: str, user: str, verb: str, full: str) -> Case:
    """The request of a user with nothing but this name; subjects of the server's own bindings are matched by it."""
    resource, _, part = full.partition("/")
    entry = next(one for one in SERVED.resources if (one.resource, one.subresource) == (resource, part))
    named = "" if verb in NAMELESS else "something"
    asked = Attributes(
        UserInfo(user, ("system:authenticated",)), verb, "default", entry.group, entry.version, resource, part, named
    )
    return Case(
        name,
        Identity(IdentityKind.X509, user, without_rights=True),
        performable(asked).request,
        Expectation(),
        (ACCOUNT,),
    )


def test_a_controller_may_do_what_it_is_said_to_and_the_others_of_its_object_may_not(
    embedded: EmbeddedProvider, everything: Path, tmp_path: Path
) -> None:
    """The status is 403 exactly where no role of the server permits the request.

    Admission would also refuse a Pod in a namespace without a service account, so there is one.
    """
    every = {
        (one.user, verb, of)
        for some in CONTROLLERS.values()
        for one in some
        for of in one.resources
        for verb in one.verbs
    }
    steps = [case_of(f"may-{n}", *one) for n, one in enumerate(sorted(every))]
    others = [("deployment-controller", "create", "pods"), ("cronjob-controller", "create", "pods")]
    others += [("replicaset-controller", "create", "replicasets"), ("job-controller", "create", "cronjobs")]
    account = "system:serviceaccount:kube-system:"
    steps += [case_of(f"never-{n}", f"{account}{name}", verb, of) for n, (name, verb, of) in enumerate(others)]

    prover = prover_of(embedded.cluster(everything), everything, tmp_path)
    proofs = prover.prove(steps)
    prover.close()

    wrong = [
        (proof.case.id, str(proof.case.identity), proof.case.request.method, proof.case.request.uri)
        for proof in proofs
        if (proof.verdict.evidence.exchange.status == 403) is proof.case.id.startswith("may")
    ]
    assert len(steps) > 20
    assert not wrong
