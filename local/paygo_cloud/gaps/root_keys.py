"""Nobody is the account's root user by the name of a key.

MiniStack takes the key ``test`` and any twelve digits for root, unchecked. Here only the key made for this server is,
with which ``start`` makes the users; everyone else has credentials of their own.

AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user.html
"""

import os

from ministack.core import iam_evaluator
from ministack.services import sts


def install() -> None:
    """Replace the check that recognises root keys."""
    iam_evaluator.is_root_access_key = _is_root_access_key
    sts.is_root_access_key = _is_root_access_key


def _is_root_access_key(access_key_id: str) -> bool:
    # An absent key stands for MiniStack's own calls; unsigned requests are refused before they get here.
    return not access_key_id or access_key_id == os.environ["AWS_ACCESS_KEY_ID"]
