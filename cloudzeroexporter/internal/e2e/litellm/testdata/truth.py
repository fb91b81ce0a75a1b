"""Records what LiteLLM knows, apart from OpenTelemetry.

$TRUTH gets a line for each call that ended: the cost that LiteLLM's own spend reports take, and whose it is.
$EXPORTS, if set, gets a line before and after each request of the span exporter, with the calls in it.
"""

import itertools
import json
import os

from litellm.integrations.custom_logger import CustomLogger


class Lines:
    """A file of JSON lines. A line is one write, so that a kill leaves no half of it behind another process's."""

    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, **line):
        os.write(self.file, (json.dumps(line, default=str) + "\n").encode())


calls = Lines(os.environ["TRUTH"])


def record(handler, kwargs):
    told = kwargs.get("standard_logging_object") or {}
    who = told.get("metadata") or {}
    calls.add(
        handler=handler,
        call_id=kwargs.get("litellm_call_id"),
        type=told.get("call_type"),
        status=told.get("status"),
        stream=bool(told.get("stream")),
        cache_hit=bool(told.get("cache_hit")),
        cost=told.get("response_cost"),
        input=told.get("prompt_tokens"),
        output=told.get("completion_tokens"),
        usage=who.get("usage_object"),
        model=told.get("model"),
        group=told.get("model_group"),
        provider=told.get("custom_llm_provider"),
        start=told.get("startTime"),
        end=told.get("endTime"),
        key=who.get("user_api_key_hash"),
        key_alias=who.get("user_api_key_alias"),
        team=who.get("user_api_key_team_id"),
        team_alias=who.get("user_api_key_team_alias"),
        user=who.get("user_api_key_user_id"),
        email=who.get("user_api_key_user_email"),
    )


class Truth(CustomLogger):
    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        record("sync", kwargs)

    def log_failure_event(self, kwargs, response_obj, start_time, end_time):
        record("sync", kwargs)

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        record("async", kwargs)

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        record("async", kwargs)


def call(span):
    """The id of the call whose cost the span carries, in either dialect; 1.83.7 does not tell ids."""
    attributes = span.attributes or {}
    if attributes.get("litellm.cost.total") or attributes.get("gen_ai.cost.total_cost"):
        return attributes.get("litellm.call_id")
    return None


def watch(exporter, requests):
    """Has each request of the exporter class recorded, with the calls whose cost it carries."""
    export, numbers = exporter.export, itertools.count()

    def watched(self, spans):
        request = f"{os.getpid()}-{exporter.__module__}-{next(numbers)}"
        requests.add(request=request, calls=list(filter(None, map(call, spans))))
        result = export(self, spans)
        requests.add(request=request, result=result.name)
        return result

    exporter.export = watched


if os.environ.get("EXPORTS"):
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGRPC
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHTTP

    exports = Lines(os.environ["EXPORTS"])
    watch(OverGRPC, exports)
    watch(OverHTTP, exports)
