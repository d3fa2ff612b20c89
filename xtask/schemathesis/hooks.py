"""What requests of the run are kept from: other machines, and its own token."""

import os

import schemathesis

# The backends; a server that is added elsewhere is never checked.
HERE = "127.0.0.1"

# No host, whatever reads it.
NOWHERE = "not a host"

OWN_TOKEN = os.environ["GATEWRIGHT_TOKEN_ID"]


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Make servers of this machine."""
    raw_schema["components"]["schemas"]["NewServer"]["properties"]["host"]["enum"] = [HERE]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Name no other machine, which the gateway would look up and check."""
    if isinstance(case.body, dict):
        stay_here(case.body)
        servers = case.body.get("servers")
        for server in servers if isinstance(servers, list) else []:
            if isinstance(server, dict):
                stay_here(server)
    # It would be a run without a token from then on.
    if "/tokens/" in case.path and case.path_parameters.get("id") == OWN_TOKEN:
        case.path_parameters["id"] = "another"


def stay_here(server):
    host = server.get("host")
    if isinstance(host, str) and host != HERE:
        server["host"] = NOWHERE
