"""``GET /openapi.json`` describes the front door that there is: all of it, and nothing else."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from jsonschema import Draft202012Validator

from adapters.authentication.draft import MODULE, SERVICE
from adapters.http.app import FrontDoor
from adapters.http.json_tree import JsonTree
from adapters.http.management import Management
from adapters.http.openapi.document import Front, document
from tests.http import rows_envelope, rows_presented, rows_translate
from tests.http.openapi.reading import METHODS, Description, filled, references
from tests.support import door as doors
from tests.support.door import ISSUER, Door
from tests.support.planted import Planted

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "adapters" / "http"

DEFAULT = Description(document())
MANAGED = {"/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json"}
JSON = "application/json"
ELSEWHERE = {"Host"}
"""Headers that HTTP itself is about."""
MISTAKES = (
    *rows_translate.STATES,
    *rows_translate.TOKEN_TYPES,
    *rows_translate.INPUTS,
    *rows_translate.OUTPUTS,
    *rows_envelope.ENVELOPE,
    *rows_envelope.BODIES,
    *rows_presented.PRESENTED,
)


def test_it_is_one() -> None:
    """The document keeps the rules of OpenAPI 3.1, as its authors' own schema has them."""
    official = Draft202012Validator(json.loads((HERE / "openapi" / "3.1.json").read_text()))
    assert [error.message for error in official.iter_errors(DEFAULT.document)] == []


def test_the_judge_judges() -> None:
    """The schema that the document is held to finds a member that OpenAPI has not."""
    official = Draft202012Validator(json.loads((HERE / "openapi" / "3.1.json").read_text()))
    assert not official.is_valid({**DEFAULT.document, "path": {}})


def test_each_schema_is_one() -> None:
    """Each schema in the document is one by the rules of draft 2020-12."""
    schemas = [*DEFAULT.components["schemas"].values()]
    for path, _, operation in DEFAULT.operations():
        schemas += [each["schema"] for each in DEFAULT.parameters(path, operation)]
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


def test_references() -> None:
    """Each reference leads to a component, and each component is referred to."""
    named = set(references(DEFAULT.document))
    there = {
        f"#/components/{kind}/{name}"
        for kind, components in DEFAULT.components.items()
        if kind != "securitySchemes"
        for name in components
    }
    # A refusal that any call may end in is described though no operation names it.
    refusals = {name for name in there if name.startswith("#/components/responses/")}
    assert named - there == set()
    assert there - named - refusals == set()


def test_security_schemes() -> None:
    """What operations need of a caller is described, and nothing else is."""
    needed = {
        name
        for _, _, operation in DEFAULT.operations()
        for requirement in operation["security"]
        for name in requirement
    }
    assert needed == set(DEFAULT.components["securitySchemes"])


def test_names() -> None:
    """Each operation has an id of its own, and its path's parameters are those it describes."""
    ids = [operation["operationId"] for _, _, operation in DEFAULT.operations()]
    assert len(ids) == len(set(ids))
    for path, _, operation in DEFAULT.operations():
        described = [each for each in DEFAULT.parameters(path, operation) if each["in"] == "path"]
        assert sorted(each["name"] for each in described) == sorted(re.findall(r"\{(.+?)\}", path))


def test_examples_fit() -> None:
    """Each example of a body fits the schema that it is an example of."""
    asked = [each for each in DEFAULT.asked() if each.example is not None]
    assert asked
    for each in asked:
        assert DEFAULT.mismatches(each.takes, each.body) == [], each.title


def test_alternatives_are_told_apart() -> None:
    """An example of one action of a path fits the bodies that the path takes as a whole."""
    for each in DEFAULT.asked():
        if each.example is not None:
            [content] = each.operation["requestBody"]["content"].values()
            assert DEFAULT.mismatches(content["schema"], each.body) == [], each.title


def test_codes_of_mistakes() -> None:
    """Each code that the table of mistakes has for an action is one that the document names."""
    operation = DEFAULT.document["paths"]["/rest-sts/{instance}"]["post"]
    rows = [row for row in MISTAKES if row.query.removeprefix("_action=") in operation["x-actions"]]
    rows = [row for row in rows if row.method == "POST" and not row.headers]
    assert {row.status for row in rows} >= {400, 401, 403, 404, 409}
    assert {str(row.status) for row in rows} <= set(operation["responses"])


async def test_every_route(door: Door) -> None:
    """The application has a route for each path and method in the document, and each of its routes
    is in the document."""
    app = FrontDoor(door.broker.components, door.broker).application()
    assert await _unmatched(app, DEFAULT.document) == ([], [])


async def test_a_route_more_or_less_is_noticed(door: Door) -> None:
    """A route that is not described is found out, and a described path that is no route."""
    app = FrontDoor(door.broker.components, door.broker).application()
    app.router.add_get("/more", _nothing)
    paths = {**DEFAULT.document["paths"], "/less": DEFAULT.document["paths"]["/livez"]}
    found = await _unmatched(app, {**DEFAULT.document, "paths": paths})
    assert found == (["/more"], ["get /less"])


async def test_every_route_of_a_management_port(door: Door) -> None:
    """A management port has what the document says that it may have, and nothing else."""
    managed = Management(door.broker, door.broker.components.metrics, Front())
    paths = {path: item for path, item in DEFAULT.document["paths"].items() if path in MANAGED}
    found = await _unmatched(managed.application(), {**DEFAULT.document, "paths": paths})
    assert found == ([], [])


async def test_every_resource_of_a_realm(door: Door) -> None:
    """Each resource of the tree below /json is described, in the root realm and in others."""
    for name in JsonTree(door.broker.components)._resources:
        for prefix in (f"/json/{name}", f"/json/{{realm}}/{name}"):
            assert [path for path in DEFAULT.document["paths"] if path.startswith(prefix)]


def test_every_action() -> None:
    """Each action that the code knows by name is described."""
    described = {
        action
        for _, _, operation in DEFAULT.operations()
        for action in operation.get("x-actions", ())
    }
    known = {action for path in sorted(SOURCE.glob("*.py")) for action in _actions(path)}
    assert {"translate", "rotate", "enrol"} <= known
    assert known <= described


def test_every_parameter() -> None:
    """Each parameter is one that the code reads, and each header that calls read is described."""
    described = {
        (each["in"], each["name"])
        for path, _, operation in DEFAULT.operations()
        for each in DEFAULT.parameters(path, operation)
    }
    sources = [*sorted(SOURCE.glob("*.py")), SOURCE.parent / "trace.py"]
    trees = [ast.parse(path.read_text()) for path in sources]
    read = {word for tree in trees for word in _words(tree)} | {SERVICE, MODULE}
    assert {name for place, name in described if place != "path"} <= read
    heads = {word for tree in trees for word in _heads(tree)}
    assert {"Idempotency-Key", "If-Match"} <= heads
    assert heads <= {name for place, name in described if place == "header"} | ELSEWHERE


async def test_served(door: Door) -> None:
    """Anybody may fetch the document, which is that of the settings."""
    answer = await door.request("GET", "/openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)
    assert answer.body == DEFAULT.document


async def test_settings_show(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """The cookie's name and the prefixes are those of the settings."""
    http = {"cookie_name": "sso", "context_path": ["/sts"]}
    async with doors.opened(tmp_path / "state", planted, http=http) as door:
        found = (await door.request("GET", "/openapi.json")).body
    schemes = found["components"]["securitySchemes"]
    assert (schemes["session"]["name"], schemes["sessionCookie"]["name"]) == ("sso", "sso")
    assert [server["url"] for server in found["servers"]] == ["/", "/sts"]


async def test_read_on_a_management_port(tmp_path: Path, planted: Planted, said: list[str]) -> None:
    """On a management port, and then on that alone, the document says where the front door is."""
    async with doors.opened(tmp_path / "state", planted, http={"management_port": 9464}) as door:
        parts = door.broker.components
        front = Front.of(parts.settings.http, parts.url)
        assert (await door.request("GET", "/openapi.json")).status == 404
    found = document(front)
    assert found["servers"][0] == {"url": ISSUER}
    servers = {path: item.get("servers") for path, item in found["paths"].items()}
    assert servers["/requests/{requestId}"] == [{"url": ISSUER}]
    assert servers["/rest-sts/{instance}"] is None
    assert all(servers[path] == [{"url": "/"}] for path in MANAGED)


async def _unmatched(
    app: web.Application, described: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Routes that no path of the document leads to, and paths that lead to no route."""
    met, lost = set(), []
    for path, item in described["paths"].items():
        servers = [server["url"] for server in item.get("servers", described["servers"])]
        for method in METHODS:
            for server in servers if method in item else ():
                request = make_mocked_request(method.upper(), server.rstrip("/") + filled(path))
                match = await app.router.resolve(request)
                if match.http_exception is None:
                    met.add(match.route.resource.canonical)
                else:
                    lost.append(f"{method} {path}")
    there = [resource.canonical for resource in app.router.resources()]
    return [route for route in there if route not in met], lost


async def _nothing(_: web.Request) -> web.Response:
    return web.Response()


def _actions(path: Path) -> set[str]:
    """The words that a source file compares an action with, or looks actions up by."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare) and ast.unparse(node.left) == "call.action":
            found |= _words(node.comparators[0])
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "self._actions":
            found |= {word for key in node.value.keys for word in _words(key)}
    return found


def _heads(tree: ast.AST) -> set[str]:
    """The names of headers that ``call.header`` is asked for."""
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    asked = [each for each in calls if ast.unparse(each.func) == "call.header"]
    return {word for each in asked for word in _words(each.args[0])}


def _words(node: ast.AST) -> set[str]:
    constants = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return {word for word in constants if isinstance(word, str)}
