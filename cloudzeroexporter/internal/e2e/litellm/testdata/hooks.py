"""What the proxy loads beside its configuration: whose a key is, and the record of the truth."""

import hashlib
import os

from litellm.proxy._types import UserAPIKeyAuth
from truth import Truth

# By key: the team, or None, and the user.
KEYS = {
    "sk-search-ana": ("search", "ana"),
    "sk-search-bo": ("search", "bo"),
    "sk-ads-cy": ("ads", "cy"),
    "sk-nobody-dee": (None, "dee"),
    "sk-ml-eva": ("ml ops", "éva"),
}

# Releases before 1.92 look teams up in a database, which the proxy under test has not.
TEAM_BY_HOOK = bool(os.environ.get("TEAM_BY_HOOK"))


def team_of(key):
    team = KEYS[key][0]
    return {"team_id": f"team-{team}", "team_alias": f"The {team} Team"} if team else {}


async def auth(request, api_key):
    user = KEYS[api_key][1]
    return UserAPIKeyAuth(
        api_key=hashlib.sha256(api_key.encode()).hexdigest(),
        key_alias=api_key.removeprefix("sk-"),
        user_id=user,
        user_email=f"{user}@example.com",
        org_id="org-1",
        **({} if TEAM_BY_HOOK else team_of(api_key)),
    )


class ProxyTruth(Truth):
    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        if TEAM_BY_HOOK:
            team = team_of(f"sk-{user_api_key_dict.key_alias}")
            for place in (data.get("metadata"), data.get("litellm_metadata")):
                if isinstance(place, dict):
                    place.update({f"user_api_key_{name}": value for name, value in team.items()})
        return data


truth = ProxyTruth()
