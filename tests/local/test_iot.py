"""AWS IoT: who may connect and stay connected, what a rule does with a message, how a device gets its certificate.

https://docs.aws.amazon.com/iot/latest/developerguide/client-authentication.html and the pages named in each gap.
"""

import json
import queue
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import requests
from paho.mqtt.enums import CallbackAPIVersion

from tests.conftest import Clients, Cloud
from tests.local.conftest import ACCOUNT, Bench, allow, eventually, policy

IOT = f"arn:aws:iot:us-east-1:{ACCOUNT}"


@dataclass
class Certificate:
    """A certificate and its key, as the registry gave them."""

    id: str
    arn: str
    pem: str
    private_key: str


class Device:
    """A connection, and what arrived on it."""

    def __init__(self, cloud: Cloud, client_id: str, certificate: Certificate | None) -> None:
        self.arrived: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.connected = threading.Event()
        self.lost = threading.Event()
        self.subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        context = ssl.create_default_context(cafile=cloud.ca_file)
        if certificate is not None:
            with tempfile.TemporaryDirectory() as folder:
                chain = Path(folder) / "chain.pem"
                chain.write_text(certificate.pem + certificate.private_key)
                context.load_cert_chain(chain)
        self.client.tls_set_context(context)
        self.client.on_connect = lambda *_: self.connected.set()
        self.client.on_disconnect = lambda *_: self.lost.set()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = lambda _client, _data, message: self.arrived.put(
            (message.topic, json.loads(message.payload or b"null"))
        )
        self.where = (cloud.mqtt_host, cloud.mqtt_port)

    def connect(self) -> bool:
        try:
            self.client.connect(*self.where, keepalive=30)
        except (OSError, ssl.SSLError):
            return False
        self.client.loop_start()
        while not self.connected.wait(0.05):
            if self.lost.is_set():
                return False
        return True

    def subscribe(self, *topics: str) -> None:
        for topic in topics:
            self.subscribed.clear()
            self.client.subscribe(topic, qos=1)
            assert self.subscribed.wait(5)

    def publish(self, topic: str, message: object) -> None:
        self.client.publish(topic, json.dumps(message), qos=1).wait_for_publish(5)

    def next(self, seconds: float = 10) -> tuple[str, Any]:
        return self.arrived.get(timeout=seconds)


@contextmanager
def device(cloud: Cloud, client_id: str, certificate: Certificate | None) -> Iterator[Device]:
    made = Device(cloud, client_id, certificate)
    try:
        yield made
    finally:
        made.client.disconnect()
        made.client.loop_stop()


def make_certificate(bench: Bench, *statements: dict[str, Any], is_active: bool = True) -> Certificate:
    iot = bench.deployer("iot")
    made = iot.create_keys_and_certificate(setAsActive=is_active)
    certificate = Certificate(
        made["certificateId"], made["certificateArn"], made["certificatePem"], made["keyPair"]["PrivateKey"]
    )
    bench.later(iot.delete_certificate, certificateId=certificate.id, forceDelete=True)
    bench.later(iot.update_certificate, certificateId=certificate.id, newStatus="INACTIVE")
    if statements:
        name = f"{bench.name}-{certificate.id[:6]}"
        iot.create_policy(policyName=name, policyDocument=policy(*statements))
        iot.attach_policy(policyName=name, target=certificate.arn)
        bench.later(iot.delete_policy, policyName=name)
        bench.later(iot.detach_policy, policyName=name, target=certificate.arn)
    return certificate


def make_thing(bench: Bench, certificate: Certificate) -> str:
    iot = bench.deployer("iot")
    iot.create_thing(thingName=bench.name)
    iot.attach_thing_principal(thingName=bench.name, principal=certificate.arn)
    bench.later(iot.delete_thing, thingName=bench.name)
    bench.later(iot.detach_thing_principal, thingName=bench.name, principal=certificate.arn)
    return bench.name


def make_rule(bench: Bench, topic: str, action: dict[str, Any], selected: str = "*") -> None:
    iot, name = bench.deployer("iot"), bench.name.replace("-", "_")
    sql = f"SELECT {selected} FROM '{topic}'"  # noqa: S608 - IoT's rules are SQL by name only
    payload = {"sql": sql, "actions": [action], "awsIotSqlVersion": "2016-03-23"}
    iot.create_topic_rule(ruleName=name, topicRulePayload=payload)
    bench.later(iot.delete_topic_rule, ruleName=name)


ANYTHING = allow("iot:*")
BY_IOT = {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}


def test_nothing_listens_on_any_address_but_loopbacks_first(cloud: Cloud) -> None:
    # A listener bound to every interface answers on all of these.
    addresses = {"127.0.0.2", *(str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None))}
    ports = (cloud.mqtt_port, int(cloud.endpoint_url.rpartition(":")[2]))

    for address in addresses - {"127.0.0.1"}:
        for port in ports:
            with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
                socket.create_connection((address, port), timeout=2)


def test_the_data_endpoint_resolves_and_its_certificate_is_valid_for_it(
    bench: Bench, cloud: Cloud, deployer: Clients
) -> None:
    host = deployer("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    certificate = make_certificate(bench, ANYTHING)
    with device(cloud, bench.name, certificate) as connection:
        connection.where = (host, cloud.mqtt_port)
        assert connection.connect()


def test_connecting_without_a_certificate_is_refused(cloud: Cloud, bench: Bench) -> None:
    with device(cloud, bench.name, None) as connection:
        assert not connection.connect()


def test_connecting_with_an_inactive_or_an_unknown_certificate_is_refused(cloud: Cloud, bench: Bench) -> None:
    inactive = make_certificate(bench, ANYTHING, is_active=False)
    with device(cloud, bench.name, inactive) as connection:
        assert not connection.connect()

    bench.deployer("iot").delete_certificate(certificateId=inactive.id, forceDelete=True)
    with device(cloud, bench.name, inactive) as connection:
        assert not connection.connect()


def test_connecting_under_a_name_the_policy_does_not_allow_is_refused(cloud: Cloud, bench: Bench) -> None:
    certificate = make_certificate(bench, allow("iot:Connect", f"{IOT}:client/${{iot:Connection.Thing.ThingName}}"))
    with device(cloud, "somebody-else", certificate) as connection:
        assert not connection.connect()

    thing = make_thing(bench, certificate)
    with device(cloud, thing, certificate) as connection:
        assert connection.connect()


def test_an_unsigned_websocket_is_refused(cloud: Cloud) -> None:
    answer = requests.get(
        f"{cloud.endpoint_url}/mqtt",
        headers={
            "Host": "prefix-ats.iot.us-east-1.localhost",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol": "mqtt",
        },
        timeout=10,
    )

    assert answer.status_code == 403


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_that_is_no_longer_active_loses_its_live_session(cloud: Cloud, bench: Bench, status: str) -> None:
    certificate = make_certificate(bench, ANYTHING)
    other = make_certificate(bench, ANYTHING)
    with device(cloud, bench.name, certificate) as connection, device(cloud, f"{bench.name}-2", other) as unharmed:
        assert connection.connect()
        assert unharmed.connect()
        bench.deployer("iot").update_certificate(certificateId=certificate.id, newStatus=status)

        assert connection.lost.wait(5)
        assert not unharmed.lost.wait(0.3)


def test_a_rules_action_is_expanded_with_the_message(cloud: Cloud, bench: Bench) -> None:
    role = bench.role(
        trust={"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    republish = {"topic": "out/${topic(2)}/${kind}/${nested.deep}/${missing}end", "roleArn": role, "qos": 1}
    make_rule(bench, f"{bench.name}/+", {"republish": republish})
    with device(cloud, bench.name, make_certificate(bench, ANYTHING)) as connection:
        connection.connect()
        connection.subscribe("out/#")
        connection.publish(f"{bench.name}/here", {"kind": "k", "nested": {"deep": 7}})

        assert connection.next()[0] == "out/here/k/7/end"


def test_a_rule_republishes_to_a_reserved_topic_with_two_dollar_signs(cloud: Cloud, bench: Bench) -> None:
    certificate = make_certificate(bench, ANYTHING)
    thing = make_thing(bench, certificate)
    role = bench.role(
        trust={"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    republish = {"topic": "$$aws/things/${topic(2)}/shadow/update", "roleArn": role, "qos": 1}
    make_rule(bench, f"{bench.name}/+", {"republish": republish})
    with device(cloud, thing, certificate) as connection:
        connection.connect()
        connection.subscribe(f"$aws/things/{thing}/shadow/update/accepted")
        connection.publish(f"{bench.name}/{thing}", {"state": {"reported": {"on": True}}})

        assert connection.next()[1]["state"] == {"reported": {"on": True}}


def test_a_rule_invokes_a_functions_alias_which_answers_the_device(cloud: Cloud, bench: Bench) -> None:
    source = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        "    print(event)\n"
        "    answer = {'asked': event, 'arn': context.invoked_function_arn}\n"
        "    boto3.client('iot-data').publish(topic=event['topic'] + '/accepted', qos=1, payload=json.dumps(answer))\n"
    )
    function = bench.function(source, allow("iot:Publish", f"{IOT}:topic/{bench.name}/*"))
    client = bench.deployer("lambda")
    version = client.publish_version(FunctionName=function)["Version"]
    alias = client.create_alias(FunctionName=function, Name="live", FunctionVersion=version)["AliasArn"]
    selected = "*, topic() AS topic, clientid() AS thing"
    make_rule(bench, f"{bench.name}/get", {"lambda": {"functionArn": alias}}, selected)
    with device(cloud, bench.name, make_certificate(bench, ANYTHING)) as connection:
        connection.connect()
        connection.subscribe(f"{bench.name}/get/accepted")
        connection.publish(f"{bench.name}/get", {"device_id": "d-1"})

        answer = connection.next(20)[1]
    assert answer["asked"] == {"device_id": "d-1", "topic": f"{bench.name}/get", "thing": bench.name}


def test_a_function_changes_a_shadow_and_the_device_gets_the_difference(cloud: Cloud, bench: Bench) -> None:
    certificate = make_certificate(bench, ANYTHING)
    thing = make_thing(bench, certificate)
    source = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        "    print(event)\n"
        "    state = {'state': {'desired': event['desired']}}\n"
        "    client = boto3.client('iot-data')\n"
        "    try:\n"
        "        client.update_thing_shadow(thingName=event['thing'], payload=json.dumps(state))\n"
        "    except client.exceptions.ClientError as refused:\n"
        "        return refused.response['Error']['Code']\n"
    )
    granted = bench.function(source, allow("iot:UpdateThingShadow", f"{IOT}:thing/{thing}"))
    denied = bench.function(source, allow("iot:UpdateThingShadow", f"{IOT}:thing/another"))

    def invoke(function: str, desired: dict[str, Any]) -> Any:
        payload = json.dumps({"thing": thing, "desired": desired})
        return json.loads(bench.deployer("lambda").invoke(FunctionName=function, Payload=payload)["Payload"].read())

    with device(cloud, thing, certificate) as connection:
        connection.connect()
        connection.subscribe(f"$aws/things/{thing}/shadow/update/delta")
        assert invoke(denied, {"credit_version": 9}) in {"ForbiddenException", "AccessDeniedException"}
        assert invoke(granted, {"credit_version": 1}) is None
        topic, delta = connection.next()
        assert delta["state"] == {"credit_version": 1}

        connection.publish(f"$aws/things/{thing}/shadow/update", {"state": {"reported": {"credit_version": 1}}})
        shadow = bench.deployer("iot-data").get_thing_shadow
        assert eventually(lambda: "delta" not in json.loads(shadow(thingName=thing)["payload"].read())["state"])
    assert topic.endswith("/delta")


TEMPLATE = {
    "Parameters": {"SerialNumber": {"Type": "String"}, "Proof": {"Type": "String"}, "ThingName": {"Type": "String"}}
    | {"AWS::IoT::Certificate::Id": {"Type": "String"}},
    "Resources": {
        "certificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Inactive"},
        },
        "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "ThingName"}}},
    },
}


def bound_by_its_tags(bench: Bench, role: str) -> None:
    """Let a role make things under the name in its tag only, whatever its own statements say."""
    iam = bench.deployer("iam")
    document = policy(
        allow("iot:*", f"{IOT}:cert/*"),
        allow("iot:*", f"{IOT}:thing/${{aws:PrincipalTag/Stack}}-*"),
    )
    boundary = iam.create_policy(PolicyName=bench.name, PolicyDocument=document)["Policy"]["Arn"]
    bench.later(iam.delete_policy, PolicyArn=boundary)
    iam.tag_role(RoleName=role, Tags=[{"Key": "Stack", "Value": "SN1"}])
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)


def test_a_claim_provisions_a_device_through_the_hooks_alias(cloud: Cloud, bench: Bench) -> None:
    source = (
        "import json\n"
        "def handler(event, context):\n"
        "    print(event)\n"
        "    good = event['parameters']['Proof'] == 'good'\n"
        "    name = event['parameters']['SerialNumber'] + '-' + '.'.join(sorted(event))\n"
        "    return {'allowProvisioning': good, 'parameterOverrides': {'ThingName': name.replace('.', '_')}}\n"
    )
    function, client, iot = bench.function(source), bench.deployer("lambda"), bench.deployer("iot")
    version = client.publish_version(FunctionName=function)["Version"]
    hook = client.create_alias(FunctionName=function, Name="live", FunctionVersion=version)["AliasArn"]
    role = bench.role(ANYTHING, trust=BY_IOT)
    bound_by_its_tags(bench, role.rpartition("/")[2])
    client.add_permission(
        FunctionName=function,
        Qualifier="live",
        StatementId="iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=f"{IOT}:provisioningtemplate/{bench.name}",
    )
    iot.create_provisioning_template(
        templateName=bench.name,
        templateBody=json.dumps(TEMPLATE),
        enabled=True,
        provisioningRoleArn=role,
        preProvisioningHook={"targetArn": hook, "payloadVersion": "2020-04-01"},
    )
    bench.later(iot.delete_provisioning_template, templateName=bench.name)
    claim = make_certificate(bench, ANYTHING)
    provision = f"$aws/provisioning-templates/{bench.name}/provision/json"

    with device(cloud, bench.name, claim) as connection:
        connection.connect()
        connection.subscribe("$aws/certificates/create/json/accepted", f"{provision}/accepted", f"{provision}/rejected")
        connection.publish("$aws/certificates/create/json", {})
        created = connection.next()[1]
        ownership = {"certificateOwnershipToken": created["certificateOwnershipToken"]}

        def ask(proof: str) -> tuple[str, Any]:
            connection.publish(provision, {**ownership, "parameters": {"SerialNumber": "SN1", "Proof": proof}})
            return connection.next(20)

        topic, refused = ask("false")
        assert topic.endswith("/rejected")
        assert refused["statusCode"] == 403
        topic, accepted = ask("good")

    assert topic.endswith("/accepted")
    thing = accepted["thingName"]
    given = {"certificateId", "certificatePem", "claimCertificateId", "clientId", "parameters", "templateArn"}
    assert set(thing.split("-", 1)[1].split("_")) == given
    own = Certificate(created["certificateId"], "", created["certificatePem"], created["privateKey"])
    described = iot.describe_certificate(certificateId=own.id)["certificateDescription"]
    assert described["status"] == "INACTIVE"
    bench.later(iot.delete_thing, thingName=thing)
    bench.later(iot.delete_certificate, certificateId=own.id, forceDelete=True)
    bench.later(iot.detach_thing_principal, thingName=thing, principal=described["certificateArn"])
    with device(cloud, thing, own) as connection:
        assert not connection.connect()
