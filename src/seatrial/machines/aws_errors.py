"""What Amazon's API refuses, in our words: the message, what would help, and Amazon's own code."""

import re

from seatrial.errors import MachineError

# Source of the codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_FORBIDDEN = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"})
_UNKNOWN_CALLER = frozenset({"AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "OptInRequired"})
_THROTTLED = frozenset({
    "EC2ThrottledException", "RequestLimitExceeded", "RequestThrottled", "SlowDown", "Throttling",
    "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
_FAILING_STATUSES = frozenset({500, 502, 503, 504})
_HINTS = {
    "IncorrectInstanceState": "look at its state and try again when it has settled",
    "IncorrectSpotRequestState": "its spot request is no longer open, so Amazon doesn't start it again",
    "InsufficientInstanceCapacity": "Amazon has no machine of this type left in its zone: try again later",
    "InstanceLimitExceeded": "the account's limit of running instances is reached: stop others or have it raised",
    "OperationNotPermitted": "it is protected against this: take its stop or termination protection off first",
    "UnsupportedOperation": "one-time spot instances and those with an instance store as root can't be stopped",
}


class AwsError(MachineError):
    """Amazon refused, or could not be asked; `code` is the API's, empty where there was no answer."""

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code

    @property
    def expired(self) -> bool:
        """Whether the credentials were good, but are no longer."""
        return self.code in _EXPIRED

    @property
    def forbidden(self) -> bool:
        """Whether a permission is missing."""
        return self.code in _FORBIDDEN


def refusal(code: str, message: str, *, permission: str, region: str) -> AwsError:
    """What an error code of the API means; `permission` is what the operation takes, such as `ec2:StopInstances`."""
    action = permission.partition(":")[2]
    if code in _FORBIDDEN:
        text = f"AWS does not permit {permission} in region {region}"
        return AwsError(text, hint=f"allow {permission} to the role or user of these credentials", code=code)
    if code in _EXPIRED:
        return AwsError("the AWS credentials have expired", hint="log in again, as with `aws sso login`", code=code)
    if code in _UNKNOWN_CALLER:
        text = f"AWS does not accept these credentials in region {region} ({code})"
        return AwsError(text, hint="look at the keys, and whether the region is enabled for the account", code=code)
    if code in _THROTTLED:
        text = f"AWS throttles {action} in region {region}"
        return AwsError(text, hint="the account's rate of requests is used up: hit fewer machines at once", code=code)
    return AwsError(f"AWS refused {action}: {one_line(message) or code}", hint=_HINTS.get(code, ""), code=code)


def may_pass(code: str, *, status: int, repeatable: bool) -> bool:
    """Whether a refused request is worth another try: one that was throttled was not carried out.

    Amazon answers that it has no machine left as if it had failed itself: that is an answer.
    """
    failed = status in _FAILING_STATUSES and not code.startswith("Insufficient")
    return code in _THROTTLED or (repeatable and failed)


def one_line(message: object) -> str:
    """A message without what only Amazon can read, and without line breaks."""
    return re.sub(r"\s+", " ", str(message).partition("Encoded authorization failure message")[0]).strip()
