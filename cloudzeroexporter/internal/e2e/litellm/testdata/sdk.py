"""Calls LiteLLM without its proxy, both ways. sdk.py UPSTREAM SEED"""

import asyncio
import json
import random
import sys

import litellm
import openai
from litellm.caching.caching import Cache
from truth import Truth

base, seed = sys.argv[1], int(sys.argv[2])
choose = random.Random(seed)
litellm.callbacks = [Truth(), "otel"]
litellm.cache = Cache(type="local", supported_call_types=["completion", "acompletion", "embedding", "aembedding"])

MODELS = ["openai/gpt-4o-mini", "openai/gpt-4o", "azure/gpt-4o", "anthropic/claude-haiku-4-5-20251001", "openai/unlisted-llm"]


def where(model):
    server = base if model.startswith(("azure", "anthropic")) else base + "/v1"
    return {"model": model, "api_base": server, "api_key": "none", **({"api_version": "2024-06-01"} if "azure" in model else {})}


def prompt(**plan):
    return [{"role": "user", "content": json.dumps({"in": choose.randint(10, 5000), "out": choose.randint(1, 900), **plan})}]


def asks():
    for model in MODELS:
        yield {"messages": prompt(), **where(model)}
        yield {"messages": prompt(), "stream": True, **where(model)}
        yield {"messages": prompt(), "stream": True, "stream_options": {"include_usage": True}, **where(model)}
    yield {"messages": prompt(cached=5), **where(MODELS[0])}
    yield {"messages": prompt(fail=500), "num_retries": 0, "max_retries": 0, **where(MODELS[1])}
    again = {"messages": prompt(), **where(MODELS[0])}
    yield from [again, again]


def embedding():
    return {"input": ["x" * choose.randint(1, 500)], **where("openai/text-embedding-3-small")}


def synchronous():
    for ask in asks():
        try:
            answer = litellm.completion(**ask)
            if ask.get("stream"):
                list(answer)
        except openai.APIError as e:
            print("as asked:", type(e).__name__)
    litellm.embedding(**embedding())


async def one(ask):
    try:
        answer = await litellm.acompletion(**ask)
        if ask.get("stream"):
            async for _ in answer:
                pass
    except openai.APIError as e:
        print("as asked:", type(e).__name__)


async def asynchronous():
    together = list(asks())
    await asyncio.gather(*map(one, together[:-2]))
    for ask in together[-2:]:
        await one(ask)
        await asyncio.sleep(0.5)  # the cache is written in the background
    await litellm.aembedding(**embedding())
    await asyncio.sleep(3)  # and so are the callbacks


synchronous()
asyncio.run(asynchronous())
