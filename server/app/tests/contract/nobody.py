"""What Schemathesis checks of answers to requests without a token."""

import schemathesis


@schemathesis.check
def nobody_gets_in(ctx, response, case):
    """Whatever is not public says 401 before it looks at anything else."""
    public = case.operation.definition.raw.get("security") == []
    if not public and response.status_code not in (401, 405):
        raise AssertionError(f"{case.method} {case.path} answered {response.status_code} to nobody")
