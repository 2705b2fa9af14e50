"""Schedule files in ComfyUI's input folder."""

import os

import folder_paths


def names():
    """The .json files under the input folder, as paths relative to it."""
    root = folder_paths.get_input_directory()
    found = []
    for folder, _, files in os.walk(root):
        found += [os.path.relpath(os.path.join(folder, name), root) for name in files if name.lower().endswith(".json")]
    return sorted(name.replace(os.sep, "/") for name in found)


def path_of(name):
    """The path of the file `name`; ValueError unless it is a file inside the input folder."""
    root = os.path.realpath(folder_paths.get_input_directory())
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != root:
        raise ValueError(f"file must be inside ComfyUI's input folder, got {name!r}")
    if not os.path.isfile(path):
        raise ValueError(f"file must exist in ComfyUI's input folder, got {name!r}")
    return path
