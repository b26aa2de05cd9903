"""Every endpoint that is for administrators."""

from __future__ import annotations

from tests.http.states import body, state
from tests.rest_sts.rows import Asked, Section, better, own, refused, supported, tested
from tests.support.door import ELEMENT

REST = "/sts-publish/rest"
ISSUED = '/sts-tokengen?_queryFilter=/sts_id+eq+"nowhere"'
INSIDE = state(realm="/fred/bobo")
TOKENGEN = "http/test_tokengen::"
PUBLISHING = "http/test_publish::"
REFUSING = "http/test_publish_refusals::"

TOKENS = Section(
    "`/sts-tokengen`",
    "For administrators of the token's realm: others get a 403, without a session a 401.",
    (
        supported(
            "`GET ?_queryFilter=`",
            "`/sts_id eq` and `/token_principal eq`, joined with `and`; single quotes and `+` for "
            "blanks too.",
            Asked("GET", ISSUED, 200, who="admin", members=("result", "resultCount")),
            Asked("GET", ISSUED, 403, who="user"),
            Asked("GET", ISSUED, 401),
            tested(TOKENGEN + "test_query", TOKENGEN + "test_plus_is_a_blank"),
        ),
        supported(
            "results",
            "The members of AM; `expiration_time` in seconds since the epoch.",
            tested(TOKENGEN + "test_result_members", TOKENGEN + "test_expired_but_not_reaped"),
        ),
        refused(
            "role of the SOAP STS agent",
            "403: there is no such role.",
            Asked("GET", ISSUED, 403, who="user"),
            Asked("GET", f"{REST}/", 403, who="user"),
        ),
        supported(
            "any other query",
            "400: other fields and operators, `or`, `!`, `_queryId`, none at all.",
            Asked("GET", "/sts-tokengen", 400, who="admin"),
            Asked("GET", "/sts-tokengen?_queryFilter=true", 400, who="admin"),
            tested(TOKENGEN + "test_refused_query", "http/test_filters::test_what_is_not_offered"),
        ),
        better(
            "paging",
            "`_pageSize` with an opaque `_pagedResultsCookie`, totals; AM has none. Without them "
            "the whole list comes, as in AM.",
            Asked("GET", ISSUED + "&_pageSize=2", 200, who="admin"),
            tested("http/test_tokengen_pages::test_pages"),
        ),
        better(
            "`GET /<token id>`",
            "The record, under the id of the token and not a random one. `issued_token` is there "
            "if the instance [keeps its tokens](instances.md): by default nobody can read them.",
            Asked("GET", "/sts-tokengen/unknown", 404, who="admin"),
            tested(TOKENGEN + "test_read", TOKENGEN + "test_read_a_kept_token"),
        ),
        supported(
            "`DELETE /<token id>`",
            "The token is cancelled; the same answer if it is absent.",
            Asked("DELETE", "/sts-tokengen/unknown", 200, who="admin", members=("result",)),
            tested(TOKENGEN + "test_delete"),
        ),
        refused(
            "`POST ?_action=create`",
            "403. AM calls itself this way; here a token comes of a translate alone.",
            Asked("POST", "/sts-tokengen?_action=create", 403, {}, who="admin"),
            tested(TOKENGEN + "test_nothing_else"),
        ),
        supported(
            "PUT, PATCH, other actions",
            "403, as in AM.",
            Asked("PUT", "/sts-tokengen/x", 403, {}, who="admin"),
            Asked("PATCH", "/sts-tokengen/x", 403, [], who="admin"),
            Asked("POST", "/sts-tokengen?_action=other", 403, {}, who="admin"),
        ),
        own(
            "`POST ?_action=cancel`",
            "Cancels all tokens that a filter or a key names.",
            tested("http/test_bulk_cancel::test_all_that_match"),
        ),
    ),
)
PUBLISH = Section(
    "`/sts-publish`",
    "For administrators of the instance's realm: others get a 403, without a session a 401.",
    (
        supported(
            "`POST /rest?_action=create`",
            "201 with `Location` and `ETag`. Without `_action` too, from protocol 2.1.",
            Asked(
                "POST",
                f"{REST}?_action=create",
                201,
                body(INSIDE),
                who="admin",
                members=("_id", "_rev", "result", "url_element"),
            ),
            Asked("POST", f"{REST}?_action=create", 403, body(INSIDE), who="user"),
            Asked("POST", f"{REST}?_action=create", 401, body(INSIDE)),
            tested(PUBLISHING + "test_create", PUBLISHING + "test_create_without_action"),
        ),
        supported(
            "`_id`",
            "Realm and element, joined with one slash and without one at either end.",
            tested(
                PUBLISHING + "test_create_in_a_sub_realm", PUBLISHING + "test_location_is_a_url"
            ),
        ),
        supported(
            "`_rev`",
            "A number as a string. It is another one after each change.",
            tested(PUBLISHING + "test_create", PUBLISHING + "test_plain_update"),
        ),
        supported(
            "`invocation_context`",
            "Both contexts; anything else is a 400.",
            Asked("POST", f"{REST}?_action=create", 400, body(INSIDE, "other"), who="admin"),
            tested(
                REFUSING + "test_wrong_envelope", "http/test_publish_flat::test_publish_and_read"
            ),
        ),
        supported(
            "a name that is taken, an unknown realm",
            "409, whatever the letter case; 404.",
            tested(REFUSING + "test_published_already", REFUSING + "test_unknown_realm"),
        ),
        better(
            "a document that breaks rules",
            "400 with every problem at once: `detail` lists `key` and `message` of each. Key "
            "stores and plug-ins that cannot be used are found now, and not at issue.",
            tested(
                "http/test_publish_rules::test_broken_rule",
                "http/test_publish_rules::test_all_of_them_at_once",
            ),
        ),
        better(
            "`GET /rest/<id>`",
            "The document, secrets as `(unchanged)`; AM shows them.",
            Asked("GET", f"{REST}/{ELEMENT}", 200, who="admin", members=("_id", "_rev", ELEMENT)),
            Asked("GET", f"{REST}/nowhere", 404, who="admin"),
            tested(PUBLISHING + "test_read_one"),
        ),
        supported(
            "`GET /rest/`",
            "Every instance of the realms that the caller administers.",
            Asked("GET", f"{REST}/", 200, who="admin", members=("_id", "_rev", ELEMENT)),
            tested(PUBLISHING + "test_read_all", PUBLISHING + "test_sub_realm_administrator"),
        ),
        better(
            "`PUT /rest/<id>`",
            "Updates, plain or under `If-Match`, which is compared: another's change is a 412. A "
            "body that names another instance is a 400. In force everywhere with the next request.",
            tested(
                PUBLISHING + "test_plain_update",
                PUBLISHING + "test_conditional_update",
                REFUSING + "test_path_and_body_disagree",
            ),
        ),
        supported(
            "`DELETE /rest/<id>`",
            "With AM's text; `If-Match` is compared here too.",
            Asked("DELETE", f"{REST}/nowhere", 404, who="admin"),
            tested(PUBLISHING + "test_delete", PUBLISHING + "test_conditional_delete"),
        ),
        supported(
            "`GET /rest?_queryFilter=`",
            "501, as in AM.",
            Asked("GET", f"{REST}?_queryFilter=true", 501, who="admin"),
        ),
        supported(
            "PATCH, other actions",
            "403, as in AM.",
            Asked("PATCH", f"{REST}/{ELEMENT}", 403, [], who="admin"),
            Asked("POST", f"{REST}?_action=other", 403, {}, who="admin"),
        ),
        better(
            "start",
            "Instances are served again, each compiled when it is first asked for. A broken one "
            "stops nobody, and its document is not logged.",
            tested(
                "http/test_many_instances::test_a_start_compiles_nothing",
                "http/test_many_instances::test_a_broken_one_stops_nobody",
            ),
        ),
        supported(
            "realms",
            "`/json/realms` and `/json/global-config/realms`: list, create, delete.",
            tested("http/test_realms::test_list", "http/test_realms::test_where_newer_ams_have_it"),
        ),
        refused(
            "`/soap`",
            "501: there are no SOAP instances.",
            Asked("GET", "/sts-publish/soap", 501, who="admin"),
            Asked("POST", "/sts-publish/soap?_action=create", 501, {}, who="admin"),
        ),
    ),
)
