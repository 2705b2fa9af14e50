"""hso's shared library from Python without a compiled module: what optimize.c does, through ctypes.

    python ctypes_example.py LIBHSO.SO [SHIFT [NFE]]     default: 3 and 6

Prints the sigmas, one a line. (From Python, `import hso` is the better way: this shows how any language with C calls
may do it.)
"""

import ctypes
import sys
from ctypes import POINTER, byref, c_char, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p


class Error(ctypes.Structure):
    _fields_ = [("code", c_int32), ("message", c_char * 508)]


class Options(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        *((name, c_int32) for name in ("terminal", "search", "local", "objective", "limits", "threads")),
        ("local_iterations", c_int32),
        ("seed", c_uint64),
        ("p", c_double),
        ("proxy_lambda", POINTER(c_double)),
        ("proxy_value", POINTER(c_double)),
        ("proxy_count", c_uint64),
        *((name, c_double) for name in ("gamma", "gap", "d_min", "rho_low", "rho_high")),
        *((name, c_double) for name in ("t_min_low", "t_min_high", "t_max_low", "t_max_high")),
    ]


class Schedule(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("capacity", c_uint32),
        *((name, POINTER(c_double)) for name in ("t", "lambdas", "sigmas", "timesteps")),
        *((name, c_int32) for name in ("nfe", "terminal", "status", "generations")),
        ("evaluations", c_int64),
        *((name, c_double) for name in ("mep", "penalty", "fitness", "rho", "t_min", "t_max")),
        *((name, c_double) for name in ("lower_bound", "gap", "min_spacing", "d_min", "elapsed")),
    ]


def load(path: str) -> ctypes.CDLL:
    """The library with the types of what is called here."""
    library = ctypes.CDLL(path)
    signatures = {
        "hso_noise_flow": (c_double, POINTER(c_void_p)),
        "hso_workspace_create": (POINTER(c_void_p),),
        "hso_options_init": (POINTER(Options), c_size_t),
        "hso_optimize": (c_void_p, c_int32, POINTER(Options), c_void_p, POINTER(Schedule)),
    }
    for name, arguments in signatures.items():
        function = getattr(library, name)
        function.argtypes = (*arguments, POINTER(Error))
        function.restype = c_int32
    for name in ("hso_noise_free", "hso_workspace_free"):
        getattr(library, name).argtypes = (c_void_p,)
        getattr(library, name).restype = None
    library.hso_abi_version.restype = c_uint32
    if library.hso_abi_version() != 1:
        raise RuntimeError(f"{path} has another binary interface than this program")
    return library


def check(code: int, error: Error) -> None:
    if code != 0:
        raise ValueError(error.message.decode())


def optimize(library: ctypes.CDLL, shift: float, nfe: int) -> list[float]:
    noise, workspace, error = c_void_p(), c_void_p(), Error()
    options, sigmas = Options(), (c_double * (max(nfe, 0) + 1))()
    schedule = Schedule(size=ctypes.sizeof(Schedule), capacity=len(sigmas), sigmas=sigmas)
    try:
        check(library.hso_noise_flow(shift, byref(noise), byref(error)), error)
        check(library.hso_workspace_create(byref(workspace), byref(error)), error)
        check(library.hso_options_init(byref(options), ctypes.sizeof(options), byref(error)), error)
        # ctypes releases Python's lock for the call
        check(library.hso_optimize(noise, nfe, byref(options), workspace, byref(schedule), byref(error)), error)
    finally:
        library.hso_workspace_free(workspace)
        library.hso_noise_free(noise)
    return list(sigmas)


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    shift = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    nfe = int(sys.argv[3]) if len(sys.argv) > 3 else 6
    try:
        sigmas = optimize(load(sys.argv[1]), shift, nfe)
    except ValueError as error:
        sys.exit(str(error))
    print(*(f"{sigma:.17g}" for sigma in sigmas), sep="\n")


if __name__ == "__main__":
    main()
