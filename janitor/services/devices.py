"""Things, their certificates, and what AWS IoT does for them."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

from janitor.clients import Clients
from janitor.found import Found, Tags, bare
from janitor.services import pages, pairs


def _iot_arn(clients: Clients, kind: str, name: str) -> str:
    return f"arn:aws:iot:{clients.target.region}:{clients.target.account}:{kind}/{name}"


def tags_of(kind: str) -> Callable[[Clients, Found], Tags]:
    def read(clients: Clients, found: Found) -> Tags:
        return pairs(clients("iot").list_tags_for_resource(resourceArn=_iot_arn(clients, kind, found.id)).get("tags"))

    return read


def rules(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "iot", "list_topic_rules", "rules"):
        if bare(one["ruleName"]).startswith(prefix):
            yield Found(one["ruleName"], one["ruleName"])


def templates(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "iot", "list_provisioning_templates", "templates"):
        if one["templateName"].startswith(prefix):
            yield Found(one["templateName"], one["templateName"])


def policies(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "iot", "list_policies", "policies"):
        if one["policyName"].startswith(prefix):
            yield Found(one["policyName"], one["policyName"])


def remove_policy(clients: Clients, found: Found) -> None:
    iot = clients("iot")
    for target in pages(clients, "iot", "list_targets_for_policy", "targets", policyName=found.id):
        iot.detach_policy(policyName=found.id, target=target)
    for version in iot.list_policy_versions(policyName=found.id)["policyVersions"]:
        if not version["isDefaultVersion"]:
            iot.delete_policy_version(policyName=found.id, policyVersionId=version["versionId"])
    iot.delete_policy(policyName=found.id)


def things(clients: Clients, prefix: str) -> Iterator[Found]:
    for one in pages(clients, "iot", "list_things", "things", PaginationConfig={"PageSize": 250}):
        if one["thingName"].startswith(prefix):
            # A thing carries no tags; its template writes the stack into an attribute instead.
            stack_of = (one.get("attributes") or {}).get("stack")
            yield Found(one["thingName"], one["thingName"], {"Stack": stack_of} if stack_of else None)


def remove_thing(clients: Clients, found: Found) -> None:
    """Remove a thing after its certificates, which could not be found any more without it and their policy."""
    iot = clients("iot")
    for principal in iot.list_thing_principals(thingName=found.id)["principals"]:
        with contextlib.suppress(iot.exceptions.ResourceNotFoundException):
            remove_certificate(clients, Found(principal.rpartition("/")[2], ""))
    for principal in iot.list_thing_principals(thingName=found.id)["principals"]:
        iot.detach_thing_principal(thingName=found.id, principal=principal)
    iot.delete_thing(thingName=found.id)


def certificates(clients: Clients, prefix: str) -> Iterator[Found]:
    return _certificates_of(clients, (one for one in policies(clients, prefix) if not _is_devices(one)))


def device_certificates(clients: Clients, prefix: str) -> Iterator[Found]:
    return _certificates_of(clients, (one for one in policies(clients, prefix) if _is_devices(one)))


def _is_devices(policy: Found) -> bool:
    return policy.name.endswith("-device")


def _certificates_of(clients: Clients, policies: Iterable[Found]) -> Iterator[Found]:
    """Find certificates by the policies that they are attached to: they have neither name nor tag."""
    for policy in policies:
        for target in pages(clients, "iot", "list_targets_for_policy", "targets", policyName=policy.id):
            if ":cert/" in target:
                yield Found(target.rpartition("/")[2], policy.name)


def remove_certificate(clients: Clients, found: Found) -> None:
    """Remove a certificate; its policies stay attached to the end, since it is found by them alone."""
    iot = clients("iot")
    arn = iot.describe_certificate(certificateId=found.id)["certificateDescription"]["certificateArn"]
    iot.update_certificate(certificateId=found.id, newStatus="INACTIVE")
    for thing in iot.list_principal_things(principal=arn)["things"]:
        iot.detach_thing_principal(thingName=thing, principal=arn)
    with contextlib.suppress(iot.exceptions.DeleteConflictException):
        # "Forces the deletion of a certificate if it is inactive and is not attached to an IoT thing."
        # https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteCertificate.html
        iot.delete_certificate(certificateId=found.id, forceDelete=True)
        return
    for policy in iot.list_attached_policies(target=arn)["policies"]:
        iot.detach_policy(policyName=policy["policyName"], target=arn)
    iot.delete_certificate(certificateId=found.id, forceDelete=True)
