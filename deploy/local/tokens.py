"""`./dev token`."""

import json
import sys

from deploy.local import state
from deploy.local.errors import LocalError
from deploy.local.home import default_home
from deploy.local.keys import LIFETIME_S, Keys, identity, refuse_production
from deploy.local.plan import PREFERRED


def show(who: str, *, as_json: bool) -> None:
    """Print a token that the running stack (or the next one, on the usual port) accepts."""
    refuse_production()
    home = default_home()
    someone = identity(who)
    found = state.running(home)
    if found is not None and "issuer" in found.external:
        raise LocalError(
            "이 스택은 다른 발급자를 쓰고 있습니다: 토큰은 그곳에서 받으세요.",
            "This stack uses the issuer of GWANGSAN_OIDC_ISSUER: get the token there.",
        )
    default = f"http://127.0.0.1:{PREFERRED['gateway']}/auth"
    issuer = found.env["GWANGSAN_OIDC_ISSUER"] if found is not None else default
    home.prepare()
    token = Keys(home.issuer).sign(someone, issuer)
    if as_json:
        told = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
            "iss": issuer,
            **someone.claims(),
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(token + "\n")
