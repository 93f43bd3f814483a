"""A password policy that leaves a requirement out does not ask for it; Terraform leaves out those that are false.

AWS: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_PasswordPolicyType.html
"""

from typing import Any

from ministack.services import cognito

NOT_REQUIRED = dict.fromkeys(("RequireLowercase", "RequireNumbers", "RequireSymbols", "RequireUppercase"), False)


def install() -> None:
    """Judge passwords by what the pool's policy asks for."""
    original = cognito._password_policy_errors

    def errors(pool: dict[str, Any], password: str) -> Any:
        policy = pool.get("Policies", {}).get("PasswordPolicy", {})
        return original({"Policies": {"PasswordPolicy": NOT_REQUIRED | policy}}, password)

    cognito._password_policy_errors = errors
