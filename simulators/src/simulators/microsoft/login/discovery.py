"""What MSAL asks before anything else: OpenID configuration, keys, instance discovery."""

from fastapi import APIRouter, Request

from simulators.microsoft.login.keys import LOGIN, JsonObject
from simulators.microsoft.state.ids import CONSUMER_TENANT
from simulators.microsoft.world import World

_HOSTS = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]


def router(world: World) -> APIRouter:
    """The discovery endpoints. The page a browser opens is at this server's address, the rest where MSAL insists."""
    routes = APIRouter()

    @routes.get("/{tenant}/v2.0/.well-known/openid-configuration")
    async def openid_configuration(tenant: str, request: Request) -> JsonObject:
        issuer = {"consumers": CONSUMER_TENANT}.get(tenant, "{tenantid}" if "-" not in tenant else tenant)
        here = str(request.base_url).rstrip("/")
        return {
            "token_endpoint": f"{LOGIN}/{tenant}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{LOGIN}/{tenant}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{LOGIN}/{issuer}/v2.0",
            "request_uri_parameter_supported": False,
            "authorization_endpoint": f"{here}/{tenant}/oauth2/v2.0/authorize",
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "tid", "preferred_username"],
            "tenant_region_scope": None,
            "cloud_instance_name": "microsoftonline.com",
            "msgraph_host": "graph.microsoft.com",
        }

    @routes.get("/{tenant}/discovery/v2.0/keys")
    async def keys(tenant: str) -> JsonObject:
        return world.signing_key.jwks()

    @routes.get("/{tenant}/discovery/instance")
    async def instance(tenant: str) -> JsonObject:
        network = {"preferred_network": _HOSTS[0], "preferred_cache": _HOSTS[1], "aliases": _HOSTS}
        configuration = f"{LOGIN}/{tenant}/v2.0/.well-known/openid-configuration"
        return {"tenant_discovery_endpoint": configuration, "api-version": "1.1", "metadata": [network]}

    return routes
