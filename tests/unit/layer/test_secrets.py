import json
import traceback
from datetime import timedelta

import boto3
import pytest
from pydantic import BaseModel

from paygo.secrets import UnreadableSecret, read_secret
from paygo.security import PartnerKeys, partner_keys


class Key(BaseModel):
    api_key: str


def store(name: str, text: str) -> None:
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=text)


def test_a_secret_is_read_as_its_model() -> None:
    store("bureau", '{"api_key": "one"}')

    assert read_secret("bureau", Key) == Key(api_key="one")


def test_a_secret_is_read_once_and_kept() -> None:
    store("bureau", '{"api_key": "one"}')
    read_secret("bureau", Key)
    boto3.client("secretsmanager").put_secret_value(SecretId="bureau", SecretString='{"api_key": "two"}')

    assert read_secret("bureau", Key) == Key(api_key="one")


def test_a_kept_secret_is_read_anew_when_it_is_old() -> None:
    store("bureau", '{"api_key": "one"}')
    read_secret("bureau", Key, timedelta(0))
    boto3.client("secretsmanager").put_secret_value(SecretId="bureau", SecretString='{"api_key": "two"}')

    assert read_secret("bureau", Key, timedelta(0)) == Key(api_key="two")


def test_a_secret_that_is_not_what_the_model_says_is_refused() -> None:
    store("bureau", "{}")

    with pytest.raises(UnreadableSecret):
        read_secret("bureau", Key)


def test_a_secret_without_text_is_refused() -> None:
    boto3.client("secretsmanager").create_secret(Name="bureau", SecretBinary=b"{}")

    with pytest.raises(TypeError, match="bureau"):
        read_secret("bureau", Key)


def test_a_partners_keys_are_read_from_its_secret() -> None:
    store("partner", json.dumps({"api_key": "k", "keys": {"current": "c", "previous": "p"}}))

    assert partner_keys("partner") == PartnerKeys(api_key="k", keys=PartnerKeys.Keys(current="c", previous="p"))


@pytest.mark.parametrize(
    ("text", "place"),
    [('{"api_key": "one", "keys": {"curent": "SIGNING-KEY"}}', "keys.current"), ("SIGNING-KEY", "the whole")],
)
def test_a_malformed_secret_is_told_by_its_places_and_never_quoted(text: str, place: str) -> None:
    store("partner", text)

    with pytest.raises(UnreadableSecret, match=f"The secret partner is not what it should be at: {place}") as told:
        read_secret("partner", PartnerKeys)

    assert "SIGNING-KEY" not in "".join(traceback.format_exception(told.value))
