"""Why a call failed, in the exporter's words for outcomes, from what an instrumentation wrote."""

from __future__ import annotations

from collections.abc import Iterator

from llmslo_rulegen.traces import text

OTHER = "other"

# Class names of the SDKs (openai, anthropic, mistralai, google, cohere, boto3, litellm) and their HTTP clients,
# the providers' own types and codes, gRPC's status names; in lower case, without `_`, `-`, spaces and module.
_WORDS = {
    "rate_limited": (
        "ratelimiterror",
        "ratelimited",
        "ratelimitexceeded",
        "toomanyrequests",
        "toomanyrequestserror",
        "throttlingexception",
        "throttlederror",
        "throttled",
        "resourceexhausted",
    ),
    "quota_exhausted": (
        "insufficientquota",
        "quotaexceeded",
        "billingerror",
        "billingnotactive",
        "billinghardlimitreached",
        "creditbalanceexhausted",
        "insufficientcredits",
        "budgetexceedederror",
    ),
    "overloaded": (
        "overloaded",
        "overloadederror",
        "unavailable",
        "serviceunavailable",
        "serviceunavailableerror",
        "serviceunavailableexception",
        "engineoverloaded",
        "midstreamfallbackerror",
    ),
    "server_error": (
        "internalservererror",
        "internalserverexception",
        "internalerror",
        "internal",
        "servererror",
        "apierror",
        "apistatuserror",
        "badgateway",
        "badgatewayerror",
        "modelerrorexception",
        "modelstreamerrorexception",
        "dataloss",
    ),
    "timeout": (
        "timeout",
        "timeouterror",
        "timeoutexception",
        "apitimeouterror",
        "readtimeout",
        "readtimeouterror",
        "writetimeout",
        "connecttimeout",
        "connecttimeouterror",
        "pooltimeout",
        "requesttimeout",
        "gatewaytimeout",
        "sockettimeouterror",
        "servertimeouterror",
        "deadlineexceeded",
        "modeltimeoutexception",
    ),
    "connection_error": (
        "apiconnectionerror",
        "connectionerror",
        "connecterror",
        "connectionrefusederror",
        "connectionreseterror",
        "connectionabortederror",
        "brokenpipeerror",
        "networkerror",
        "clientconnectorerror",
        "clientosererror",
        "endpointconnectionerror",
        "maxretryerror",
        "newconnectionerror",
        "econnrefused",
        "econnreset",
    ),
    "stream_interrupted": (
        "remoteprotocolerror",
        "readerror",
        "incompleteread",
        "chunkedencodingerror",
        "clientpayloaderror",
        "serverdisconnectederror",
        "protocolerror",
        "incompletestream",
    ),
    "dns_error": ("gaierror", "nameresolutionerror", "clientconnectordnserror", "enotfound", "eaiagain"),
    "tls_error": ("sslerror", "sslcertverificationerror", "clientconnectorsslerror", "clientconnectorcertificateerror"),
    "auth": (
        "authenticationerror",
        "permissiondeniederror",
        "permissiondenied",
        "permissionerror",
        "unauthenticated",
        "unauthorized",
        "unauthorizederror",
        "forbidden",
        "forbiddenerror",
        "invalidapikey",
        "accessdeniedexception",
        "unrecognizedclientexception",
    ),
    "invalid_request": (
        "badrequesterror",
        "badrequest",
        "invalidrequesterror",
        "invalidargument",
        "unprocessableentityerror",
        "unprocessableentity",
        "conflicterror",
        "requesttoolargeerror",
        "requesttoolarge",
        "contextwindowexceedederror",
        "contextlengthexceeded",
        "unsupportedparamserror",
        "validationexception",
        "validationerror",
        "failedprecondition",
        "outofrange",
    ),
    "not_found": (
        "notfounderror",
        "notfound",
        "modelnotfound",
        "resourcenotfoundexception",
        "deploymentnotfound",
    ),
    "content_filter": ("contentfilter", "contentpolicyviolation", "contentpolicyviolationerror", "contentfiltered"),
    "client_cancelled": (
        "cancellederror",
        "cancelled",
        "canceled",
        "generatorexit",
        "keyboardinterrupt",
        "aborterror",
        "apiuseraborterror",
    ),
}
CLASSES = {word: outcome for outcome, words in _WORDS.items() for word in words}
STATUSES = {
    401: "auth",
    402: "quota_exhausted",
    403: "auth",
    404: "not_found",
    408: "timeout",
    429: "rate_limited",
    499: "client_cancelled",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_CLIENT_ERROR, _SERVER_ERROR, _END = 400, 500, 600  # classes of RFC 9110 15
REMOVED = "_ -"
_REMOVED = str.maketrans("", "", REMOVED)


def failure(words: Iterator[str], status: int | None) -> str:
    """Return the outcome that the first telling word names, else the status, else `other`.

    `words` come most telling first: an error code, an error type, an exception's class name, with or without module.
    """
    for word in words:
        status = status or text.status(word)
        tail = word.rpartition(".")[2]
        found = CLASSES.get(tail.lower().translate(_REMOVED)) if tail.isascii() else None
        if found:
            return found
    return of_status(status) if status else OTHER


def of_status(status: int) -> str:
    """Return the outcome of an HTTP status of 400 and above; of anything else `other`."""
    if status in STATUSES:
        return STATUSES[status]
    if _SERVER_ERROR <= status < _END:
        return "server_error"
    return "invalid_request" if _CLIENT_ERROR <= status < _SERVER_ERROR else OTHER
