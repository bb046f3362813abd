"""webdit in ComfyUI: a node that draws with the model of a webdit server."""

from .nodes import WebditGenerate

NODE_CLASS_MAPPINGS = {"WebditGenerate": WebditGenerate}
NODE_DISPLAY_NAME_MAPPINGS = {"WebditGenerate": "webdit: generate"}
