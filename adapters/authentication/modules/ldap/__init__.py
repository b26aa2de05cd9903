"""Logins against an LDAP directory or an Active Directory (RFC 4510 and its family).

The client is our own and small: bind, search and StartTLS on asyncio's transports
(docs/decisions says why no library is used).
"""
