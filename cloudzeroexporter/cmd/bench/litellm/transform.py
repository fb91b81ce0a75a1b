"""Measures LiteLLM's own CloudZero exporter: from records of its spend table to CBF, and from CBF to the body that it
posts. Nothing is sent.

Reads a JSON list of records from standard input, repeats them with users of their own until there are as many as the
first argument says, and prints what it took as JSON.
"""

import datetime
import json
import resource
import sys
import time

import polars as pl
from litellm.integrations.cloudzero.cz_stream_api import CloudZeroStreamer
from litellm.integrations.cloudzero.transform import CBFTransformer

# The transform prints how many records it made.
sys.stdout, out = sys.stderr, sys.stdout


def rss_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    count, repetitions = int(sys.argv[1]), int(sys.argv[2])
    calls = json.load(sys.stdin)
    today = datetime.date.today().isoformat()
    records = pl.DataFrame(
        [{**calls[i % len(calls)], "date": today, "user_id": f"user-{i:06d}", "user_email": f"user-{i:06d}@example.com"}
         for i in range(count)],
        infer_schema_length=None,
    )
    before = rss_peak()
    transform, serialize = [], []
    for _ in range(repetitions):
        begin = time.process_time()
        cbf = CBFTransformer().transform(records)
        transform.append(time.process_time() - begin)
        if len(cbf) != count:
            sys.exit(f"{len(cbf)} of {count} records were transformed")
        begin = time.process_time()
        streamer = CloudZeroStreamer(api_key="none", connection_id="none")
        for date, batch in streamer._group_by_date(cbf).items():
            json.dumps(streamer._prepare_batch_payload(date, batch, "replace_hourly"))
        serialize.append(time.process_time() - begin)
    json.dump({"transform": transform, "serialize": serialize, "rss_before": before, "rss_peak": rss_peak()}, out)


main()
