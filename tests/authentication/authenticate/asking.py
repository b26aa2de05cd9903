"""Logins over HTTP, step by step."""

from __future__ import annotations

from tests.support.door import Answer, Door
from tests.support.planted import MARK, USER_PASSWORD

CODE = f"code-{MARK}"


TOLD = {"code": 401, "reason": "Unauthorized", "message": "Authentication Failed"}


MODULES = f"""
[[module]]
name = "asks"
kind = "word"
does = "ask"
word = "{CODE}"
attributes = {{ team = "red" }}

[[module]]
name = "off"
kind = "word"
does = "down"
word = "{CODE}"

[[chain]]
name = "plain"
modules = [{{ module = "asks", flag = "required" }}]

[[chain]]
name = "two"
modules = [
    {{ module = "DataStore", flag = "requisite" }},
    {{ module = "asks", flag = "required" }},
]

[[chain]]
name = "closed"
modules = [{{ module = "off", flag = "required" }}]
"""


DEFAULT = """
[[default]]
USERNAME = "service|plain"
"""


CHOSEN = "?authIndexType=service&authIndexValue=plain"


TWO = "?authIndexType=service&authIndexValue=two"


async def begin(door: Door, query: str = "", *, realm: str = "", **head: str) -> Answer:
    return await door.request("POST", f"/json{realm}/authenticate{query}", headers=head)


async def answered(
    door: Door, step: Answer, *values: str, query: str = "", realm: str = ""
) -> Answer:
    """The step sent back, its fields filled in."""
    body = {**step.body, "callbacks": [dict(each) for each in step.body["callbacks"]]}
    for callback, value in zip(body["callbacks"], values, strict=True):
        callback["input"] = [{**callback["input"][0], "value": value}]
    return await door.request("POST", f"/json{realm}/authenticate{query}", body=body)


def credentials(name: str = "demo", password: str = USER_PASSWORD) -> dict[str, str]:
    return {"X-OpenAM-Username": name, "X-OpenAM-Password": password}


def types(step: Answer) -> list[str]:
    return [each["type"] for each in step.body["callbacks"]]
