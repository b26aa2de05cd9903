"""Filters, names and messages: what is read, what is written, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.authentication.modules.ldap import ber, names, protocol
from adapters.authentication.modules.ldap.filters import BadFilter, Filter
from adapters.authentication.modules.ldap.options import sid

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(TEXT)
def test_a_login_is_one_value_of_a_filter(login: str) -> None:
    """Whatever is typed stands as one value in the filter, byte by byte, and changes nothing."""
    template = Filter("(&(objectClass=person)(uid={login}))")
    parts = ber.Reader(ber.Reader(template.encoded(login)).next(0xA0))
    assert parts.next(0xA3) == ber.octets("objectClass") + ber.octets("person")
    assert parts.next(0xA3) == ber.octets("uid") + ber.octets(login)
    assert not parts.more


@given(TEXT)
def test_a_login_is_one_value_of_a_name(login: str) -> None:
    """So does a name that is made of it."""
    if login.strip(" ") and "\0" not in login:
        found = names.parsed(f"uid={names.escaped(login)},dc=example")
        assert found is not None
        assert found[0] == ("uid", login.lower())
        assert found[1:] == (("dc", "example"),)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_malformed(data: bytes) -> None:
    """Whatever a server sends is read or refused, and nothing else happens."""
    for read in (
        lambda: protocol.opened(data),
        lambda: protocol.result(data, data),
        lambda: protocol.entry(data),
    ):
        try:
            read()
        except ber.Malformed:
            continue


@given(TEXT)
def test_any_text_is_a_filter_or_none(text: str) -> None:
    """Whatever a document says is read or refused."""
    for written in (text, f"({text})", f"(uid={text})", f"(&({text}=*))"):
        try:
            Filter(written).encoded("login")
        except BadFilter:
            continue


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("(cn=*)", b"\x87\x02cn"),
        ("(cn=a\\2ab)", b"\xa3\x09\x04\x02cn\x04\x03a*b"),
        ("(cn=a*b*c)", b"\xa4\x0f\x04\x02cn0\x09\x80\x01a\x81\x01b\x82\x01c"),
        ("(!(a>=1))", b"\xa2\x08\xa5\x06\x04\x01a\x04\x011"),
        ("(a~=1)", b"\xa8\x06\x04\x01a\x04\x011"),
        ("(a:1.2.3:=x)", b"\xa9\x0d\x81\x051.2.3\x82\x01a\x83\x01x"),
        ("(a:dn:=x)", b"\xa9\x09\x82\x01a\x83\x01x\x84\x01\xff"),
    ],
)
def test_filters_as_the_standard_encodes_them(text: str, encoded: bytes) -> None:
    """Each kind of comparison has its tag (RFC 4511, section 4.5.1)."""
    assert Filter(text).encoded() == encoded


@pytest.mark.parametrize(
    "text",
    [
        "",
        "uid=a",
        "(uid=a",
        "(uid=a))",
        "(&)",
        "()",
        "(uid)",
        "(=a)",
        "(a b=c)",
        "(a=b**c)",
        "(a=\\g0)",
        "(a=\\)",
        "(:=x)",
        "(a::=x)",
        "(!(a=b)(c=d))",
        "(" * 40,
    ],
)
def test_what_is_no_filter(text: str) -> None:
    """Anything else is refused when the module is made."""
    with pytest.raises(BadFilter):
        Filter(text)


@pytest.mark.parametrize(
    ("inner", "outer", "below"),
    [
        ("uid=ada,dc=example,dc=com", "dc=example,dc=com", True),
        ("UID=ada, DC=Example ,dc=COM", "dc=example,dc=com", True),
        ("dc=example,dc=com", "dc=example,dc=com", True),
        ("uid=ada,dc=example,dc=com", "dc=other,dc=com", False),
        ("uid=ada,xdc=example,dc=com", "dc=example,dc=com", False),
        ("uid=ada\\,dc=example,dc=com", "dc=example,dc=com", False),
        ("uid=ada+cn=x,dc=example,dc=com", "dc=example,dc=com", False),
        ("uid=#04,dc=example,dc=com", "dc=example,dc=com", False),
        ("uid=ada,ou=straße,dc=com", "ou=strasse,dc=com", False),
        ("uid=ada,ou=STRASSE,dc=com", "ou=strasse,dc=com", True),
        ("uid=\\61da,dc=com", "dc=com", False),
        ("uid=Doe\\2C J,dc=com", "dc=com", True),
        ("2.05.4.3=ada,dc=com", "dc=com", False),
        ("dc=com", "dc=example,dc=com", False),
        ("", "dc=com", False),
    ],
)
def test_what_is_below(inner: str, outer: str, below: bool) -> None:
    """Names are compared part by part, and escaped commas part nothing."""
    assert names.below(inner, outer) is below


def test_a_sid_in_octets() -> None:
    """As the directory keeps it (MS-DTYP, section 2.4.2.2)."""
    text = "S-1-5-21-1-2-3-1001"
    octets = sid(text)
    assert octets is not None
    assert octets.hex() == "010500000000000515000000010000000200000003000000e9030000"


@pytest.mark.parametrize(
    "text",
    [
        "S-1-5-21-*",
        "S-1-5-21-1-2-3-01001",
        f"S-1-5-21-1-2-3-{1001 + 2**32}",
        f"S-1-{5 + 2**48}-21-1-2-3-1001",
        "s-1-5-21-1-2-3-1001",
        "S-1-5-21-1-2-3-1001\n",
        "S-1-5",
    ],
)
def test_one_spelling_of_a_sid(text: str) -> None:
    """Neither zeros nor numbers that wrap around are a second name of somebody."""
    assert sid(text) is None
