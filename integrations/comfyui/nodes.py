"""The node: pictures of a webdit server as ComfyUI's IMAGE."""

import base64
import io

import numpy
import torch
from PIL import Image

from .client import DEFAULT_SERVER, generate

# JSON numbers are exact up to here.
GREATEST_SEED = 2**53 - 1


class WebditGenerate:
    """Draws with the model that `webdit serve` has loaded, on its devices."""

    CATEGORY = "webdit"
    FUNCTION = "generate"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "prompt": ("STRING", {"multiline": True, "default": ""}),
                "width": ("INT", {"default": 1024, "min": 16, "max": 8192, "step": 8}),
                "height": ("INT", {"default": 1024, "min": 16, "max": 8192, "step": 8}),
                "seed": ("INT", {"default": 0, "min": 0, "max": GREATEST_SEED, "control_after_generate": True}),
                "steps": ("INT", {"default": 0, "min": 0, "max": 1000, "tooltip": "0: as many as the model wants"}),
                "guidance_scale": (
                    "FLOAT",
                    {"default": -1.0, "min": -1.0, "max": 100.0, "step": 0.1, "tooltip": "-1: the model's own"},
                ),
                "pictures": ("INT", {"default": 1, "min": 1, "max": 10}),
            },
            "optional": {
                "negative_prompt": ("STRING", {"multiline": True, "default": ""}),
                "server": ("STRING", {"default": DEFAULT_SERVER}),
                "api_key": ("STRING", {"default": ""}),
            },
        }

    def generate(
        self,
        prompt,
        width,
        height,
        seed,
        steps,
        guidance_scale,
        pictures,
        negative_prompt="",
        server=DEFAULT_SERVER,
        api_key="",
    ):
        fields = {
            "prompt": prompt,
            "n": pictures,
            "size": f"{width}x{height}",
            "seed": seed,
            "num_inference_steps": steps or None,
            "guidance_scale": guidance_scale if guidance_scale >= 0 else None,
            "negative_prompt": negative_prompt or None,
            "partial_images": 3,
        }
        drawn = generate(server, fields, api_key, on_event=_progress())
        return (torch.stack([_tensor(png) for png, _ in drawn]),)


def _tensor(png):
    """A picture as [height, width, 3], 0 to 1."""
    pixels = numpy.array(Image.open(io.BytesIO(png)).convert("RGB"), dtype=numpy.float32)
    return torch.from_numpy(pixels / 255)


def _progress():
    """What shows each step and partial picture in ComfyUI, and raises where its user has pressed cancel."""
    try:
        from comfy.model_management import throw_exception_if_processing_interrupted
        from comfy.utils import ProgressBar
    except ImportError:  # outside ComfyUI
        return lambda event: None
    state = {"bar": None, "step": 0}

    def show(event):
        throw_exception_if_processing_interrupted()
        if "steps" in event:
            state["bar"] = state["bar"] or ProgressBar(event["steps"])
            state["step"] = event["step"]
            state["bar"].update_absolute(state["step"], event["steps"])
        elif "b64_json" in event and state["bar"]:
            picture = Image.open(io.BytesIO(base64.b64decode(event["b64_json"]))).convert("RGB")
            state["bar"].update_absolute(state["step"], None, ("PNG", picture, None))

    return show
