"""Seconds of a linear layer, of self-attention and of a block by PyTorch, as JSON: tokens, width, heads, turns are arguments."""

import json
import sys
import time

import torch
import torch.nn.functional as F

tokens, width, heads, turns = map(int, sys.argv[1:5])
cuda = torch.cuda.is_available()
device, dtype = ("cuda", torch.float16) if cuda else ("cpu", torch.float32)
print(f"PyTorch {torch.__version__}, {torch.cuda.get_device_name() if cuda else 'CPU'}, {dtype}", file=sys.stderr)


def random(*shape, scale=1.0):
    return torch.empty(*shape, device=device, dtype=dtype).uniform_(-scale, scale)


def seconds(call):
    """The median of `turns` calls, after some that bring the device to its clock."""
    began = time.perf_counter()
    while time.perf_counter() - began < (0.5 if cuda else 0.05):
        call()
        if cuda:
            torch.cuda.synchronize()
    took = []
    for _ in range(turns):
        if cuda:
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            for _ in range(5):
                call()
            end.record()
            torch.cuda.synchronize()
            took.append(start.elapsed_time(end) / 1000 / 5)
        else:
            start = time.perf_counter()
            call()
            took.append(time.perf_counter() - start)
    return sorted(took)[len(took) // 2]


x = random(1, tokens, width)
weights = {
    name: (random(out, depth, scale=depth**-0.5), random(out, scale=0.1))
    for name, out, depth in [
        ("q", width, width),
        ("k", width, width),
        ("v", width, width),
        ("out", width, width),
        ("up", 4 * width, width),
        ("down", width, 4 * width),
        ("table", 6 * width, width),
    ]
}
conditions = random(1, width)


def attend(q, k, v):
    split = lambda t: t.view(1, tokens, heads, -1).transpose(1, 2)
    return F.scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).reshape(1, tokens, width)


def block():
    shift1, scale1, gate1, shift2, scale2, gate2 = F.linear(conditions, *weights["table"]).chunk(6, dim=-1)
    a = F.layer_norm(x, (width,)) * (1 + scale1) + shift1
    attended = attend(*(F.linear(a, *weights[name]) for name in "qkv"))
    stream = x + gate1 * F.linear(attended, *weights["out"])
    m = F.layer_norm(stream, (width,)) * (1 + scale2) + shift2
    return stream + gate2 * F.linear(F.gelu(F.linear(m, *weights["up"]), approximate="tanh"), *weights["down"])


with torch.inference_mode():
    times = {
        "linear": seconds(lambda: F.linear(x, weights["up"][0])),
        "attention": seconds(lambda: attend(x, x, x)),
        "block": seconds(block),
    }
print(json.dumps(times))
