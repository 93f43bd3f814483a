# What API Gateway itself answers, in the one shape of errors (RFC 9457).
# The types and their statuses: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html

locals {
  refused = {
    type   = "refused"
    title  = "The request was refused"
    detail = "Sign the request with the current credentials of a session that may call this route, or check the route."
    status = 403
  }
  unavailable = {
    type   = "unavailable"
    title  = "The platform could not answer"
    detail = "Send the request again later; tell us `instance` if it stays so."
    status = 500
  }
  invalid = {
    type   = "invalid-request"
    title  = "The request is not valid"
    detail = "Compare the request with the contract and send it again."
    status = 400
  }
  throttled = {
    type   = "too-many-requests"
    title  = "Too many requests"
    detail = "Wait a moment and send the request again."
    status = 429
  }

  problems = {
    ACCESS_DENIED                  = local.refused
    API_CONFIGURATION_ERROR        = local.unavailable
    AUTHORIZER_CONFIGURATION_ERROR = local.unavailable
    AUTHORIZER_FAILURE             = local.unavailable
    BAD_REQUEST_BODY               = local.invalid
    BAD_REQUEST_PARAMETERS         = local.invalid
    EXPIRED_TOKEN = {
      type   = "credentials-expired"
      title  = "The credentials have expired"
      detail = "Refresh the session and sign the request with its new credentials."
      status = 403
    }
    INTEGRATION_FAILURE = merge(local.unavailable, { status = 504 })
    INTEGRATION_TIMEOUT = merge(local.unavailable, { status = 504 })
    INVALID_API_KEY = {
      type   = "api-key-refused"
      title  = "The API key was refused"
      detail = "Send your own API key in the header X-Api-Key."
      status = 403
    }
    INVALID_SIGNATURE            = local.refused
    MISSING_AUTHENTICATION_TOKEN = local.refused
    QUOTA_EXCEEDED               = local.throttled
    REQUEST_TOO_LARGE = {
      type   = "request-too-large"
      title  = "The request is too large"
      detail = "Send less in one request."
      status = 413
    }
    RESOURCE_NOT_FOUND = {
      type   = "not-found"
      title  = "There is no such route"
      detail = "Check method and path against the contract."
      status = 404
    }
    THROTTLED = local.throttled
    UNAUTHORIZED = {
      type   = "unauthorized"
      title  = "The caller could not be verified"
      detail = "Send a bearer token of a session that is not over: refresh the session for a new one."
      status = 401
    }
    UNSUPPORTED_MEDIA_TYPE = {
      type   = "unsupported-media-type"
      title  = "The content type is not supported"
      detail = "Send the content type that the contract names."
      status = 415
    }
    WAF_FILTERED = local.throttled # the firewall's one rule is a rate

    # These stand for several statuses, so the document leaves its own out.
    DEFAULT_4XX = merge(local.refused, { status = null })
    DEFAULT_5XX = merge(local.unavailable, { status = null })
  }
}
