from paygo.identities import identity_hash
from paygo.security import session_key


def test_an_identity_is_found_by_a_hash_that_does_not_tell_its_id() -> None:
    hashed = identity_hash("us-east-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e")

    assert hashed == "f581e9f240d615408e4a63a16a6528ef5fee8bf4dd503f2d2ca4069e96f33495"
    assert session_key("us-east-1:5d6c0f5e-6f0e-4a5b-9a42-0b1f6f3f6d1e") == {"pk": f"SESSION#{hashed}"}
