"""LiteLLM's own CloudZero integration, without its database: cloudzero.py ANYCOST_URL

Its logger, transformation and sender are the real ones. Replaced are the query, by a table that is kept as LiteLLM's
spend writer keeps LiteLLM_DailyUserSpend, and the host of the API. Each line of standard input is a request; its answer is
one line of standard output.

  {"calls": [...], "at": SECONDS}           the calls were written to the table at that time
  {"export": "hourly"|"all", "at": SECONDS} the hourly job, or an export without limits of time
"""

import asyncio
import json
import os
import sys
from datetime import datetime, timedelta, timezone

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # the integration talks to standard output

import polars as pl
from litellm.constants import CLOUDZERO_EXPORT_INTERVAL_MINUTES, CLOUDZERO_MAX_FETCHED_DATA_RECORDS
from litellm.integrations.cloudzero.cloudzero import CloudZeroLogger
from litellm.integrations.cloudzero.cz_stream_api import CloudZeroStreamer
from litellm.integrations.cloudzero.database import LiteLLMDatabase

table = {}


def write(call, at):
    """Adds a call to its row: the unique key and the sums of LiteLLM_DailyUserSpend, joined with key, team and user."""
    date = datetime.fromtimestamp(call["start"], timezone.utc).strftime("%Y-%m-%d")
    key = (call["user"], date, call["key"], call["model"], call["provider"], call["type"])
    row = table.setdefault(
        key,
        {
            "id": str(len(table)),
            "date": date,
            "user_id": call["user"],
            "api_key": call["key"],
            "model": call["model"],
            "model_group": call["group"],
            "custom_llm_provider": call["provider"],
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "spend": 0.0,
            "api_requests": 0,
            "successful_requests": 0,
            "failed_requests": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "created_at": at,
            "updated_at": at,
            "team_id": call["team"],
            "api_key_alias": call["key_alias"],
            "team_alias": call["team_alias"],
            "user_email": call["email"],
        },
    )
    row["prompt_tokens"] += call["input"] or 0
    row["completion_tokens"] += call["output"] or 0
    row["spend"] += call["cost"] or 0.0
    row["api_requests"] += 1
    row["successful_requests"] += 1
    row["updated_at"] = at


async def get_usage_data(self, limit=None, start_time_utc=None, end_time_utc=None):
    rows = [
        row
        for row in table.values()
        if (start_time_utc is None or row["updated_at"] >= start_time_utc)
        and (end_time_utc is None or row["updated_at"] <= end_time_utc)
    ]
    rows.sort(key=lambda row: (row["date"], row["created_at"]), reverse=True)
    return pl.DataFrame(rows[:limit], infer_schema_length=None)


LiteLLMDatabase.get_usage_data = get_usage_data

connect = CloudZeroStreamer.__init__


def to_the_stand_in(self, *args, **kwargs):
    connect(self, *args, **kwargs)
    self.base_url = sys.argv[1]


CloudZeroStreamer.__init__ = to_the_stand_in


def export(kind, now):
    """What CloudZeroLogger._hourly_usage_data_export does at that time, or what POST /cloudzero/export does."""
    logger = CloudZeroLogger()
    window = {}
    if kind == "hourly":
        window = {
            "limit": CLOUDZERO_MAX_FETCHED_DATA_RECORDS,
            "start_time_utc": now - timedelta(minutes=2 * CLOUDZERO_EXPORT_INTERVAL_MINUTES),
            "end_time_utc": now,
        }
    asyncio.run(logger.export_usage_data(operation="replace_hourly", **window))


for line in sys.stdin:
    request = json.loads(line)
    at = datetime.fromtimestamp(request["at"], timezone.utc)
    error = None
    if "calls" in request:
        for call in request["calls"]:
            write(call, at)
    else:
        try:
            export(request["export"], at)
        except Exception as e:
            error = f"{type(e).__name__}: {e}"
    print(json.dumps({"error": error, "rows": len(table)}), file=answers)
