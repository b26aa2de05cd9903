"""A bare bonsai bind: connect, simple bind, close, as its own manual shows it.

``… ldap_bind URL CA_FILE DN PASSWORD_FILE``: binds as often as each line on standard input says,
and prints the CPU microseconds of one.
"""

import asyncio
import sys
import time
from pathlib import Path

import bonsai


async def bound(client: bonsai.LDAPClient) -> None:
    connection = await client.connect(is_async=True, timeout=10.0)
    connection.close()


def main(url: str, ca_file: str, dn: str, password_file: str) -> None:
    client = bonsai.LDAPClient(url)
    client.set_cert_policy("demand")
    client.set_ca_cert(ca_file)
    client.set_credentials("SIMPLE", user=dn, password=Path(password_file).read_text())
    with asyncio.Runner() as runner:
        runner.run(bound(client))
        print("ready", flush=True)
        for line in sys.stdin:
            number, before = int(line), time.process_time()
            for _ in range(number):
                runner.run(bound(client))
            print((time.process_time() - before) / number * 1e6, flush=True)


main(*sys.argv[1:])
