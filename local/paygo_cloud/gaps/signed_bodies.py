"""A signature covers the body that arrived, whatever hash of it the request's header claims.

AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import re
from typing import Any

from ministack.core import sigv4

CLAIM = "x-amz-content-sha256"
DIGEST = re.compile("[0-9a-f]{64}")


def install() -> None:
    """Refuse a body whose hash is not the one that was signed. S3 does this itself, with an error of its own."""
    original = sigv4.header_signature_failure

    def failure(*checked: Any, **more: Any) -> Any:
        signature, *_, headers, body = checked
        claimed = headers.get(CLAIM) or ""
        is_false = DIGEST.fullmatch(claimed) and claimed != hashlib.sha256(body).hexdigest()
        if is_false and signature.service != "s3":
            return "SignatureDoesNotMatch", sigv4.SIGNATURE_MISMATCH
        return original(*checked, **more)

    sigv4.header_signature_failure = failure
