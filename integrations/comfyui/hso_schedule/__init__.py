"""HSO's nodes for ComfyUI: few-step schedules as SIGMAS. Copy this folder into ComfyUI/custom_nodes."""

from .nodes import HSOSchedule, HSOScheduleFile, HSOScheduleForModel

NODE_CLASS_MAPPINGS = {
    "HSOSchedule": HSOSchedule,
    "HSOScheduleForModel": HSOScheduleForModel,
    "HSOScheduleFile": HSOScheduleFile,
}

NODE_DISPLAY_NAME_MAPPINGS = {
    "HSOSchedule": "HSO Schedule",
    "HSOScheduleForModel": "HSO Schedule (from model)",
    "HSOScheduleFile": "HSO Schedule (from file)",
}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
