"""A client of `webdit serve` with nothing but the standard library, so that it can be tested without ComfyUI."""

import base64
import json
import urllib.error
import urllib.request

DEFAULT_SERVER = "http://127.0.0.1:8000"


class ServerError(RuntimeError):
    """What the server answered instead of pictures, in its own words."""


def generate(server, fields, api_key="", on_event=lambda event: None, timeout=600):
    """Asks for pictures, and waits for them.

    server: its address, as `webdit serve` prints it
    fields: of POST /v1/images/generations; those that are None are left to the model
    on_event: called with each event of the stream: "type", and "step" and "steps", or "b64_json" of a partial picture.
        What it raises ends the request: the server stops before its next step.
    timeout: seconds without an answer
    returns: (PNG bytes, seed) of each picture, in order
    raises: ServerError for refusals, and where no server answers
    """
    body = {name: value for name, value in fields.items() if value is not None}
    body["stream"] = True
    request = urllib.request.Request(
        server.rstrip("/") + "/v1/images/generations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **({"Authorization": "Bearer " + api_key} if api_key else {})},
    )
    pictures = {}
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            for event in _events(answer):
                if event["type"] == "error":
                    raise ServerError(_message(event))
                if event["type"] == "image_generation.completed":
                    pictures[event.get("index", 0)] = (base64.b64decode(event["b64_json"]), event.get("seed"))
                else:
                    on_event(event)
    except urllib.error.HTTPError as error:
        raise ServerError(_refusal(error)) from None
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise ServerError(
            f"no answer of a webdit server at {server} ({reason}): start one there with `webdit serve`"
        ) from None
    if not pictures:
        raise ServerError(f"the server at {server} ended its answer without a picture: see what it printed")
    return [pictures[index] for index in sorted(pictures)]


def _events(answer):
    """The data of server-sent events, each of which is a JSON object."""
    data = []
    for line in answer:
        line = line.decode().rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].strip())
        elif line == "" and data:
            text = "\n".join(data)
            data = []
            if text != "[DONE]":
                yield json.loads(text)


def _refusal(error):
    try:
        message = _message(json.load(error))
    except (ValueError, KeyError, TypeError):
        return f"the server answered {error.code} {error.reason}: is it `webdit serve`?"
    wait = error.headers.get("Retry-After")
    return f"{message} (again in {wait} s)" if wait else message


def _message(answer):
    return answer["error"]["message"]
