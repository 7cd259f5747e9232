"""Access tokens: which hold, and why none of the classic forgeries does."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
import pytest
from api_gateway.adapters.jwks import JwksCache
from api_gateway.adapters.tokens import TokenVerifier
from contracts.api.errors import ApiError, ErrorCode
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr
from simulators.common.serve import running
from simulators.platform import seed
from simulators.platform.app import create_app

from tests.support.gateway import CLAIMS, SECRET, signed
from tests.support.waiting import until


def verifier(
    *,
    secret: str | None = SECRET,
    keys: JwksCache | None = None,
    issuer: str | None = None,
    audience: str | None = None,
) -> TokenVerifier:
    shared = None if secret is None else SecretStr(secret)
    return TokenVerifier(secret=shared, keys=keys, issuer=issuer, audience=audience, leeway=5)


async def refused(tokens: TokenVerifier, token: str) -> bool:
    """Whether a token is answered 401."""
    try:
        await tokens.claims(token)
    except ApiError as refusal:
        return refusal.code is ErrorCode.AUTHENTICATION_REQUIRED
    return False


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def handmade(header: dict[str, Any], claims: dict[str, Any], key: bytes | None = None) -> str:
    """A token that no library would make; signed with HMAC-SHA256 when there is a key."""
    said = f"{part(header)}.{part(claims)}"
    mac = b"" if key is None else hmac.digest(key, said.encode(), hashlib.sha256)
    return f"{said}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def good_claims() -> dict[str, Any]:
    return CLAIMS | {"exp": int(time.time()) + 3600}


async def test_a_token_signed_with_the_shared_secret_holds() -> None:
    claims = await verifier().claims(signed())
    assert CLAIMS.items() <= claims.items()


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(secret="another secret, as long as the right one"), id="another secret"),
        pytest.param(signed({"exp": time.time() - 60}), id="expired"),
        pytest.param(signed({"exp": None}), id="never expires"),
        pytest.param(signed({"exp": "soon"}), id="expires at no number"),
        pytest.param(signed({"nbf": time.time() + 3600, "exp": time.time() + 7200}), id="not valid yet"),
        pytest.param(signed({"nbf": "later"}), id="valid from no number"),
        pytest.param(signed(algorithm="HS384"), id="HS384"),
        pytest.param(signed(algorithm="HS512"), id="HS512"),
        pytest.param(handmade({"alg": "none"}, good_claims()), id="none"),
        pytest.param(handmade({"alg": "None"}, good_claims()), id="None"),
        pytest.param(handmade({"alg": "nOnE"}, good_claims(), SECRET.encode()), id="nOnE, signed"),
        pytest.param(handmade({"alg": ["HS256"]}, good_claims(), SECRET.encode()), id="alg is a list"),
        pytest.param(handmade({}, good_claims(), SECRET.encode()), id="no alg"),
        pytest.param(handmade({"alg": "HS256"}, good_claims()), id="no signature"),
        pytest.param(handmade({"alg": "HS256"}, good_claims(), b""), id="signed with the empty key"),
        pytest.param(
            handmade({"alg": "HS256", "crit": ["never"], "never": 1}, good_claims(), SECRET.encode()),
            id="a critical extension that nobody knows (RFC 7515 section 4.1.11)",
        ),
        pytest.param(signed() + "x", id="signature with a letter more"),
        pytest.param(signed().rpartition(".")[0], id="two parts"),
        pytest.param("..", id="empty parts"),
        pytest.param("a token", id="no token"),
        pytest.param("é.è.ê", id="not ASCII"),
        pytest.param(f"{part([])}.{part({})}.", id="header is a list"),
        pytest.param(base64.urlsafe_b64encode(b"[" * 30_000).decode() + "..", id="header nested deeply"),
        pytest.param(base64.urlsafe_b64encode(b'{"alg":' + b"9" * 6000 + b"}").decode() + "..", id="huge number"),
    ],
)
async def test_a_token_that_does_not_hold_is_401(token: str) -> None:
    assert await refused(verifier(), token)


async def test_clocks_may_differ_a_little() -> None:
    await verifier().claims(signed({"exp": time.time() - 2}))
    await verifier().claims(signed({"nbf": time.time() + 2}))


async def test_a_token_is_verified_once_and_refused_when_it_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, now, decoded = verifier(), time.time(), []
    decode = jwt.decode

    def counted(*args: Any, **options: Any) -> Any:
        decoded.append(args)
        return decode(*args, **options)

    monkeypatch.setattr(jwt, "decode", counted)
    token = signed(CLAIMS | {"exp": int(now) + 60})
    first = await tokens.claims(token)
    assert await tokens.claims(token) == first
    assert len(decoded) == 1
    assert await refused(tokens, token[:-1] + ("A" if token[-1] != "A" else "B"))
    monkeypatch.setattr(time, "time", lambda: now + 64)
    assert await tokens.claims(token) == first, "within the leeway of five seconds"
    expired = jwt.ExpiredSignatureError()

    def expire(*_args: Any, **_options: Any) -> Any:
        raise expired

    monkeypatch.setattr(jwt, "decode", expire)
    monkeypatch.setattr(time, "time", lambda: now + 66)
    assert await refused(tokens, token)


async def test_only_so_many_verified_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_gateway.adapters.tokens._MAX_VERIFIED", 3)
    tokens = verifier()
    for number in range(9):
        assert await tokens.claims(signed(CLAIMS | {"exp": int(time.time()) + 60, "jti": str(number)}))
    assert len(tokens._verified) == 3


async def test_issuer_and_audience_are_checked_where_they_are_set() -> None:
    token = signed({"iss": "login", "aud": ["meetings", "others"]})
    assert not await refused(verifier(issuer="login", audience="meetings"), token)
    assert await refused(verifier(issuer="another"), token)
    assert await refused(verifier(audience="another"), token)
    assert await refused(verifier(issuer="login"), signed())
    assert await refused(verifier(audience="meetings"), signed())


@pytest.fixture(scope="module")
def login() -> Iterator[str]:
    """A login that signs with all three algorithms and publishes its keys over a socket."""
    with running(create_app(SECRET)) as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def token_of(http: httpx.AsyncClient, login: str, algorithm: str) -> str:
    body = {"username": seed.VALENTINA.user_email, "password": seed.PASSWORD, "algorithm": algorithm}
    answer = await http.post(f"{login}/api/auth/login", json=body)
    token: str = answer.json()["token"]
    return token


def key_set(http: httpx.AsyncClient, login: str) -> JwksCache:
    return JwksCache(http, f"{login}/.well-known/jwks.json")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_token_signed_with_a_published_key_holds(http: httpx.AsyncClient, login: str, algorithm: str) -> None:
    token = await token_of(http, login, algorithm)
    claims = await verifier(secret=None, keys=key_set(http, login)).claims(token)
    assert CLAIMS.items() <= claims.items()
    head, _, signature = token.split(".")
    forged = part(claims | {"userUuid": "TS-SOMEBODY-ELSE"})
    assert await refused(verifier(keys=key_set(http, login)), f"{head}.{forged}.{signature}")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_without_a_key_set_no_such_token_holds(http: httpx.AsyncClient, login: str, algorithm: str) -> None:
    assert await refused(verifier(), await token_of(http, login, algorithm))


async def test_without_a_secret_no_hs256_token_holds(http: httpx.AsyncClient, login: str) -> None:
    assert await refused(verifier(secret=None, keys=key_set(http, login)), signed())
    assert await refused(verifier(secret=None, keys=key_set(http, login)), signed(secret="None" * 8))


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
async def test_a_published_key_is_no_shared_secret(http: httpx.AsyncClient, login: str, form: str) -> None:
    """Key confusion: everybody knows the public key, so an HMAC with it proves nothing."""
    published = (await http.get(f"{login}/.well-known/jwks.json")).json()["keys"][0]
    public = RSAAlgorithm.from_jwk(published)
    assert isinstance(public, rsa.RSAPublicKey)
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    key = {
        "pem": public.public_bytes(serialization.Encoding.PEM, info),
        "der": public.public_bytes(serialization.Encoding.DER, info),
        "jwk": json.dumps(published).encode(),
    }[form]
    token = handmade({"alg": "HS256", "kid": published["kid"]}, good_claims(), key)
    assert await refused(verifier(keys=key_set(http, login)), token)
    assert await refused(verifier(secret=None, keys=key_set(http, login)), token)


async def test_a_key_serves_its_own_algorithm_only(http: httpx.AsyncClient, login: str) -> None:
    keys = verifier(keys=key_set(http, login))
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = {"kid": "ec-1", "jwk": RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)}
    assert await refused(keys, jwt.encode(good_claims(), private, "RS256", headers=own))
    assert await refused(keys, jwt.encode(good_claims(), private, "PS256", headers={"kid": "rsa-1"}))
    for kid in ("rsa-1", "unknown", "", None):
        headers = {} if kid is None else {"kid": kid}
        assert await refused(keys, jwt.encode(good_claims(), private, "RS256", headers=headers))


async def test_a_new_key_is_fetched_when_a_token_names_it_but_not_for_every_invented_name(
    http: httpx.AsyncClient,
) -> None:
    fetched = 0
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    app = FastAPI()

    @app.get("/jwks")
    async def jwks() -> dict[str, Any]:
        nonlocal fetched
        fetched += 1
        return {"keys": [RSAAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "new", "alg": "RS256"}]}

    with running(app) as url:
        tokens = verifier(keys=JwksCache(http, f"{url}/jwks"))
        await tokens.claims(jwt.encode(good_claims(), private, "RS256", headers={"kid": "new"}))
        for number in range(20):
            token = jwt.encode(good_claims(), private, "RS256", headers={"kid": f"invented-{number}"})
            assert await refused(tokens, token)
    assert fetched == 1


@pytest.mark.parametrize(
    "answer", [Response("no", 500), Response("[]"), Response("not JSON"), Response('{"keys": [1]}'), None]
)
async def test_while_the_login_cannot_be_asked_nobody_is_refused_for_a_bad_token(
    http: httpx.AsyncClient, answer: Response | None
) -> None:
    app = FastAPI()

    @app.get("/jwks")
    async def jwks() -> Response:
        assert answer is not None
        return answer

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with running(app) as url:
        tokens = verifier(keys=JwksCache(http, f"{url}{'/nowhere' if answer is None else '/jwks'}"))
        for _ in range(3):
            with pytest.raises(ApiError) as refusal:
                await tokens.claims(jwt.encode(good_claims(), private, "RS256", headers={"kid": "valid"}))
            assert refusal.value.code is ErrorCode.SERVICE_UNAVAILABLE


@asynccontextmanager
async def publishing(http: httpx.AsyncClient, *keys: Any, **more: Any) -> AsyncIterator[tuple[JwksCache, list[Any]]]:
    """The cache of a login that publishes these keys; the list may change."""
    published = list(keys)
    app = FastAPI()

    @app.get("/jwks")
    async def jwks() -> Response:
        return Response(json.dumps({"keys": published}))

    with running(app) as url:
        yield JwksCache(http, f"{url}/jwks", **more), published


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)
P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())


def as_jwk(key: Any, **more: Any) -> dict[str, Any]:
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    made = algorithm.to_jwk(key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return {name: value for name, value in (made | {"kid": "k"} | more).items() if value is not ...}


@pytest.mark.parametrize(
    ("jwk", "private", "algorithm", "holds"),
    [
        (as_jwk(RSA), RSA, "RS256", True),
        (as_jwk(RSA, use="sig", alg="RS256", key_ops=["verify"]), RSA, "RS256", True),
        (as_jwk(RSA, use=None, alg=None), RSA, "RS256", True),
        (as_jwk(P256), P256, "ES256", True),
        (as_jwk(RSA, use="enc"), RSA, "RS256", False),
        (as_jwk(P256, use="enc"), P256, "ES256", False),
        (as_jwk(RSA, key_ops=["encrypt", "wrapKey"]), RSA, "RS256", False),
        (as_jwk(RSA, alg="RSA-OAEP"), RSA, "RS256", False),
        (as_jwk(RSA, alg="PS256"), RSA, "RS256", False),
        (as_jwk(RSA, alg="ES256"), RSA, "RS256", False),
        (as_jwk(RSA, kty="EC"), RSA, "RS256", False),
        (as_jwk(P384), P384, "ES256", False),
        (as_jwk(WEAK), WEAK, "RS256", False),
        ({"kty": "oct", "kid": "k", "k": "eHh4" * 11}, RSA, "RS256", False),
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_key_serves_what_it_was_published_for(
    http: httpx.AsyncClient, jwk: dict[str, Any], private: Any, algorithm: str, holds: bool
) -> None:
    async with publishing(http, jwk, as_jwk(RSA, kid="another")) as (keys, _):
        tokens = verifier(keys=keys)
        signing = private if algorithm == "RS256" or private is P256 else P256
        token = jwt.encode(good_claims(), signing, algorithm, headers={"kid": "k"})
        if holds:
            assert await tokens.claims(token)
        else:
            assert await refused(tokens, token)


async def test_a_key_that_is_rotated_in_is_used_and_one_that_is_withdrawn_refused(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_gateway.adapters.jwks._RETRY_AFTER", 0.0)
    old = jwt.encode(good_claims(), RSA, "RS256", headers={"kid": "old"})
    new = jwt.encode(good_claims(), P256, "ES256", headers={"kid": "new"})
    async with publishing(http, as_jwk(RSA, kid="old")) as (keys, published):
        tokens = verifier(keys=keys)
        assert await tokens.claims(old)
        published.append(as_jwk(P256, kid="new"))
        assert await tokens.claims(new)
        assert await tokens.claims(old)
        published.pop(0)
        monkeypatch.setattr("api_gateway.adapters.jwks._REFRESH_AFTER", 0.0)
        assert await refused(tokens, old)
        assert await tokens.claims(new)


@pytest.mark.parametrize(("pieces", "size", "pause"), [(100, 1, 0.01), (10, 65536, 0.0)], ids=["slowly", "at length"])
async def test_a_login_that_answers_slowly_or_at_length_is_given_up(
    http: httpx.AsyncClient, pieces: int, size: int, pause: float
) -> None:
    app = FastAPI()

    async def answer() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield b" " * size
            await asyncio.sleep(pause)
        yield json.dumps({"keys": [as_jwk(RSA)]}).encode()

    app.add_api_route("/jwks", lambda: StreamingResponse(answer()))
    with running(app) as url:
        keys = JwksCache(http, f"{url}/jwks", timeout=0.3 if pause else 10)
        with pytest.raises(ApiError) as refusal:
            await keys.find("k", "RS256")
    assert refusal.value.code is ErrorCode.SERVICE_UNAVAILABLE


async def test_it_is_ready_once_some_key_was_had(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_gateway.adapters.jwks._RETRY_AFTER", 0.01)
    async with publishing(http) as (keys, published), keys.running():
        assert keys.problem() == "no keys of the login yet"
        published.append(as_jwk(RSA))

        async def ready() -> bool:
            return keys.problem() is None

        await until(ready, what="the keys are fetched")
        published.clear()
        assert keys.problem() is None
