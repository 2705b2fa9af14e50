"""Looks at the library's symbols, with nm: check.py undefined LIBHSO.A, or check.py exports LIBHSO.SO

undefined: what its objects ask of the system must be in allowed.txt.
exports: what it shows must be the C functions in exports.txt, all of them, and public C++ names.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# These stay forbidden whatever allowed.txt says.
FORBIDDEN = re.compile(
    r"v?[fsd]?n?w?printf|f?put[sc]?(char)?|f?write|std::(cout|cerr|clog)|abort|_?_?_?exit|quick_exit|(secure_)?getenv|"
    r"s?rand(om)?(_r)?|time|gettimeofday|clock(_gettime)?|signal|raise|system|f?open|getrandom|__assert_fail"
)
PUBLIC = re.compile(r"(?:(?:typeinfo|typeinfo name|vtable) for )?hso::(?!detail::).*")


def symbols(library: str, *options: str) -> list[str]:
    output = subprocess.run(["nm", "-C", *options, library], check=True, capture_output=True, text=True).stdout
    # "<address> <kind> <name>": undefined symbols have no address
    return sorted({match[1] for match in re.finditer(r"^(?:[0-9a-f]+)? +[A-Za-z] (.+)$", output, re.MULTILINE)})


def lines(name: str) -> list[str]:
    text = (HERE / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def check_undefined(library: str) -> list[str]:
    allowed = re.compile("|".join(f"(?:{line})" for line in lines("allowed.txt")))
    names = symbols(library, "--undefined-only")
    if not any(name.startswith("operator new") for name in names):  # nm or the pattern changed
        sys.exit(f"{library} asks for no memory: is this the library?")
    return [name for name in names if FORBIDDEN.fullmatch(name) or not allowed.fullmatch(name)]


def check_exports(library: str) -> list[str]:
    names = symbols(library, "--dynamic", "--defined-only")
    c_names, expected = {name for name in names if name.startswith("hso_")}, set(lines("exports.txt"))
    faults = [f"missing: {name}" for name in sorted(expected - c_names)]
    faults += [f"not in exports.txt: {name}" for name in sorted(c_names - expected)]
    faults += [f"not public: {name}" for name in names if name not in c_names and not PUBLIC.fullmatch(name)]
    if not any(name.startswith("hso::optimize(") for name in names):
        faults.append("missing: hso::optimize")
    return faults


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in ("undefined", "exports"):
        sys.exit(__doc__)
    check = check_undefined if sys.argv[1] == "undefined" else check_exports
    faults = check(sys.argv[2])
    if faults:
        sys.exit("\n".join([f"{sys.argv[2]}: {len(faults)} symbols that must not be there (or are missing):", *faults]))


if __name__ == "__main__":
    main()
